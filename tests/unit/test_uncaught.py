"""Exit codes and tracebacks, as Python has them (programs: see test_program)."""

import sys

import pytest

from scoop_mpi.base import uncaught
from scoop_mpi.tasks.future import Future


@pytest.mark.parametrize("request_code, code, text", [
    (None, 0, ""), (0, 0, ""), (7, 7, ""), (256, 0, ""), (-1, 255, ""), (True, 1, ""),
    ("why", 1, "why\n"), ((1, 2), 1, "(1, 2)\n"),
])
def test_exit_codes(capsys, request_code, code, text):
    assert uncaught.exit_code_of(SystemExit(request_code)) == code
    assert capsys.readouterr().err == text


def test_a_traceback_begins_with_user_code():
    future = Future(1, lambda: 1 / 0, (), None)
    future.run()
    frames = future.error.__traceback__
    assert frames.tb_frame.f_code.co_filename.startswith(uncaught.HERE)
    users = uncaught.users_part(frames)
    assert users.tb_frame.f_code.co_filename == __file__


def test_a_traceback_without_user_code():
    try:
        Future(1, None, (), None).result.__wrapped__  # noqa: B018
    except AttributeError:
        frames = sys.exc_info()[2]
    assert uncaught.users_part(frames) is frames
    assert uncaught.users_part(None) is None
