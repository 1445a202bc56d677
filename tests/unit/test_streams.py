"""Standard output and error, whatever is in their place: nothing of it is raised here."""

import io
import sys

import pytest

from scoop_mpi.base.streams import flush_output, put_back_unusable, write_error


class Angry:
    def flush(self):
        raise SystemExit("cannot")


class Full(io.StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")


class Mute:
    """Has no flush at all."""


@pytest.fixture
def at_start(monkeypatch):
    """The streams that this process began with."""
    for name in ("stdout", "stderr"):
        stream = io.StringIO()
        monkeypatch.setattr(sys, f"__{name}__", stream)
        monkeypatch.setattr(sys, name, stream)
    return sys.__stdout__, sys.__stderr__


@pytest.mark.parametrize("make, written", [
    (Angry, False), (Full, False), (Mute, False), (io.StringIO, True), (lambda: None, True),
])
def test_flushing_raises_nothing(at_start, monkeypatch, make, written):
    monkeypatch.setattr(sys, "stdout", make())
    assert flush_output() is written


@pytest.mark.parametrize("make, put_back", [
    (Angry, True), (Mute, True), (Full, False), (io.StringIO, False), (lambda: None, False),
])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_streams_that_python_could_not_flush_at_its_end(
    at_start, monkeypatch, name, make, put_back
):
    stream = make()
    monkeypatch.setattr(sys, name, stream)
    put_back_unusable()
    assert getattr(sys, name) is (getattr(sys, f"__{name}__") if put_back else stream)


def test_a_closed_stream_stays(at_start, monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    put_back_unusable()
    assert sys.stdout is stream


@pytest.mark.parametrize("make", [Angry, Mute])
def test_errors_are_written_somewhere(at_start, monkeypatch, make):
    monkeypatch.setattr(sys, "stderr", make())
    write_error("what happened\n")
    assert at_start[1].getvalue() == "what happened\n"
