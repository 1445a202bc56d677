"""``--timeout``: the job ends with exit code 124 and says so once, wherever it hangs."""

from __future__ import annotations

import pytest

MESSAGE = "scoop_mpi: the job was ended after --timeout 1.5 s"
TASKS = """\
import time
from scoop_mpi import futures
if __name__ == "__main__":
    print("up", flush=True)
    futures.wait([futures.submit(time.sleep, 60) for _ in range(2)])
"""
ROOT_ALONE = TASKS.replace("futures.wait([futures.submit(time.sleep, 60) for _ in range(2)])",
                           "time.sleep(60)")


@pytest.mark.parametrize("text, ranks, launcher", [
    (TASKS, 3, "self"), (ROOT_ALONE, 3, "mpirun"), (ROOT_ALONE, 1, "mpirun"),
], ids=["our launcher", "mpiexec", "one process"])
def test_a_program_that_takes_too_long(run, tmp_path, text, ranks, launcher):
    (tmp_path / "program.py").write_text(text)
    done = run("--timeout", "1.5", "program.py", ranks=ranks, launcher=launcher, timeout=30)
    assert done.returncode == 124, done
    assert done.stdout.count("up\n") == 1, done
    assert done.stderr.count("--timeout") == done.stderr.count(MESSAGE) == 1, done
    assert "Traceback" not in done.stderr, done


def test_a_program_that_is_in_time(run, tmp_path):
    (tmp_path / "program.py").write_text("if __name__ == '__main__':\n    raise SystemExit(7)\n")
    done = run("--timeout", "50", "program.py", ranks=3, launcher="self")
    assert done.returncode == 7, done
    assert "--timeout" not in done.stderr
