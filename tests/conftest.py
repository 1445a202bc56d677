"""What holds for all tests: signals, and which of them may run side by side.

What the tests start finds signals as at a terminal. In the background of a shell SIGINT is
ignored, under nohup SIGHUP, and children inherit that. A handler they do not inherit: so these
tests take no notice of the signal, still, and their children do what they always do.
"""

import signal
from typing import Any

import pytest


def _take_no_notice(number: int, frame: object) -> None:
    """In place of SIG_IGN."""


for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _take_no_notice)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes run the tests (``pytest -n``): which must be in the same one?

    Those in tests/launch share clusters, of which a machine can have one at a time; in
    tests/mpi, the checks of a program share a run of it, and stand in one file.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.split("/")[-2]
            return {"launch": folder, "mpi": file}.get(folder, nodeid)

    return Scheduling(config, log)
