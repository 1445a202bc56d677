"""How a job ends when it does not end by itself."""

import pytest

from scoop_mpi.process.endings import late_failure, timed_out


def test_a_time_limit():
    failure = timed_out(90.0)
    assert failure == ("scoop_mpi: the job was ended after --timeout 90 s", 124)


@pytest.mark.parametrize("error, code, text", [
    (KeyboardInterrupt(), 130, ""), (SystemExit(), 0, ""), (SystemExit(5), 5, ""),
    (SystemExit("words"), 1, ""), (ValueError("late"), 1, "ValueError: late\n"),
])
def test_a_handler_that_raises_after_the_end(error, code, text):
    failure = late_failure(error)
    assert failure.exit_code == code
    assert failure.text.endswith(text) if text else failure.text == ""


def test_a_handler_that_raises_nothing():
    assert late_failure(None) is None
