"""What holds for all tests: signals, and which of them may run side by side.

What the tests start finds signals as at a terminal. In the background of a shell SIGINT is
ignored, under nohup SIGHUP, and children inherit that. A handler they do not inherit: so these
tests take no notice of the signal, still, and their children do what they always do.
"""

import signal

import pytest


def _take_no_notice(number: int, frame: object) -> None:
    """In place of SIG_IGN."""


for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _take_no_notice)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes run the tests (``pytest -n``). Some tests must be in the same one.

    Those in tests/launch share clusters, of which a machine can have one at a time. Checks of
    one program share a run of it.
    """
    for item in items:
        if "launch" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("clusters"))
        elif "look" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
