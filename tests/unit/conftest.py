"""Fixtures of the unit tests: a scheduler of their own, and a Python of their own."""

import atexit
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scoop_mpi
from scoop_mpi.base import context
from scoop_mpi.process import alone
from scoop_mpi.workers.signals import guard

PACKAGE = Path(scoop_mpi.__file__).parent


@pytest.fixture(autouse=True)
def signals_as_before():
    """A scheduler guards all signal handlers of its process: here that ends with the test."""
    functions = signal.signal, signal.getsignal
    handlers = {number: functions[1](number) for number in signal.valid_signals()}
    yield
    signal.signal, signal.getsignal = functions
    guard.noted.clear()
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture
def scheduler():
    """The running scheduler, without peers; gone after the test."""
    one = alone.start_alone()
    context.install(one)
    yield one
    context.install(None)
    atexit.unregister(one.close)
    alone.forget_leftovers()


@pytest.fixture
def run_python(tmp_path):
    """Runs a program in a process of its own; returns the completed process."""
    def run(source, *options, timeout=20):
        program = tmp_path / "program.py"
        program.write_text(source)
        search = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, *options, str(program)], capture_output=True, text=True,
            timeout=timeout, env={**os.environ, "PYTHONPATH": search}, cwd=tmp_path,
            stdin=subprocess.DEVNULL,
        )
    return run


@pytest.fixture
def many_switches():
    """Threads are switched as often as possible."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.fixture
def interpreter(monkeypatch):
    """Puts back what running a program in this process changes."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("__main__", "__scoop_main__"):
        # Set once so that the old state (or absence) comes back at the end.
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name, sys))
    return sys


@pytest.fixture
def naps(monkeypatch):
    """Seconds of every sleep; 0.0: yielded."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(os, "sched_yield", lambda: slept.append(0.0))
    return slept
