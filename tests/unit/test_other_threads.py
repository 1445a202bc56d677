"""A serial program that makes its calls in a thread of its own."""

import os
import subprocess
import sys

import pytest

import scoop_mpi

PROGRAM = """
import threading
from scoop_mpi import futures

def use():
    print(list(futures.map(abs, [-1, 2])), futures.submit(abs, -3).result())
    {more}

if __name__ == "__main__":
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("more, says", [("pass", ""), ("futures.submit(print, 'late')", "not run")])
def test_calls_in_another_thread_than_the_main_one(tmp_path, more, says):
    (tmp_path / "program.py").write_text(PROGRAM.format(more=more))
    environ = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(scoop_mpi.__file__))}
    done = subprocess.run([sys.executable, "-W", "ignore", "program.py"], cwd=tmp_path, env=environ,
                          capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "[1, 2] 3\n"), done
    assert says in done.stderr and "Traceback" not in done.stderr, done
    assert bool(done.stderr) == bool(says), done
