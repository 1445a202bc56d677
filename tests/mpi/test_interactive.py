"""The prompt (-i): with typed and with piped input, with and without a program."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launching import Finished, Job, environment

TYPED = """\
def double(x):
    return 2 * x

print(list(futures.map(double, range(4))))
offset = 10
print(list(futures.map(lambda x: double(x) + offset, range(4))))
shared.setConst(triple=lambda x: 3 * x)
print(list(futures.map(lambda x: shared.getConst("triple")(x), range(4))))
print(scoop_mpi.SIZE)
"""


@pytest.mark.parametrize("ranks", [2, 3])
def test_what_is_typed_runs_on_all_workers(run: Callable[..., Finished], ranks: int) -> None:
    done = run("-i", ranks=ranks, launcher="self", stdin=TYPED)
    assert done.returncode == 0, done
    for line in ("[0, 2, 4, 6]", "[10, 12, 14, 16]", "[0, 3, 6, 9]", str(ranks - 1)):
        assert f">>> {line}\n" in done.stdout + "\n" or f"... {line}\n" in done.stdout, done
    assert "Traceback" not in done.stderr, done


def test_an_error_is_shown_and_the_prompt_goes_on(run: Callable[..., Finished]) -> None:
    typed = "futures.submit(divmod, 1, 0).result()\nprint(sum(futures.map(abs, [-1, -2])))\n"
    done = run("-i", launcher="self", stdin=typed)
    assert done.returncode == 0, done
    assert "ZeroDivisionError" in done.stderr, done
    assert ">>> 3\n" in done.stdout, done


def test_the_exit_code_is_what_is_typed(run: Callable[..., Finished]) -> None:
    assert run("-i", launcher="self", stdin="raise SystemExit(5)\n").returncode == 5


def test_the_prompt_follows_the_program_and_may_change_it(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "prog.py").write_text(
        "import sys\n"
        "def scale(x): return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    from scoop_mpi import futures\n"
        "    print(sys.argv, list(futures.map(scale, [1, 2])))\n"
        "    result = 7\n"
    )
    typed = (
        "result\nlist(futures.map(scale, [3, 4]))\n"
        "def scale(x): return 100 * x\n\n"
        "list(futures.map(scale, range(50))) == list(range(0, 5000, 100))\n"
    )
    done = run("-i", "prog.py", "arg", launcher="self", stdin=typed)
    assert done.returncode == 0, done
    assert "['prog.py', 'arg'] [2, 4]\n" in done.stdout, done
    assert ">>> 7\n>>> [6, 8]\n>>> ... >>> True\n" in done.stdout, done


def test_a_program_that_fails_still_gives_a_prompt(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "prog.py").write_text("if __name__ == '__main__':\n    x = 1\n    1 / 0\n")
    done = run("-i", "prog.py", launcher="self", stdin="x + 1\n")
    assert done.returncode == 0, done
    assert "ZeroDivisionError" in done.stderr and ">>> 2\n" in done.stdout, done


class Terminal:
    """A job at a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._master, self._slave = pty.openpty()
        name = os.ttyname(self._slave)
        # setsid --ctty is not everywhere: a session leader that opens a terminal gets it.
        start = (f"import os, sys; [os.dup2(os.open({name!r}, os.O_RDWR), n) for n in (0, 1, 2)];"
                 "os.execv(sys.executable, [sys.executable, '-m', 'scoop_mpi', '-n', '2', '-i'])")
        self.job = Job([sys.executable, "-c", start], cwd=folder, timeout=60,
                       environ={**environment("self", None), "TERM": "dumb"})
        self._seen = ""

    def send(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str, limit_s: float = 20) -> bool:
        """True when the terminal has shown ``text`` after what was waited for before."""
        stop_by = time.monotonic() + limit_s
        while text not in self._seen and time.monotonic() < stop_by:
            if select.select([self._master], [], [], 0.1)[0]:
                self._seen += os.read(self._master, 1 << 16).decode().replace("\r", "")
        before, found, after = self._seen.partition(text)
        self._seen = after if found else before
        return bool(found)

    def interrupt(self) -> bool:
        """Presses Ctrl-C; again if it was lost, as it may be just before a line is read."""
        for _ in range(10):
            self.send("\x03")
            if self.wait_for("KeyboardInterrupt", 2):
                return self.wait_for(">>> ")
        return False

    def close(self) -> None:
        self.job.kill()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    one.close()


def test_at_a_terminal(terminal: Terminal) -> None:
    assert terminal.wait_for("with 2 workers") and terminal.wait_for(">>> ")
    terminal.send("def f(x):\n    return x + 1\n\n")
    terminal.send("sum(futures.map(f, range(10)))\n")
    assert terminal.wait_for("\n55\n") and terminal.wait_for(">>> ")
    for _ in range(3):
        assert terminal.interrupt(), "Ctrl-C at the prompt"
    terminal.send("def busy():\n    import time\n    print('go')\n    time.sleep(10)\n\n")
    for busy in ("busy()", "futures.submit(busy).result()"):
        terminal.send(f"{busy}\n")
        assert terminal.wait_for("\ngo\n")
        assert terminal.interrupt(), busy
    terminal.send("sum(futures.map(f, range(10)))\n")
    assert terminal.wait_for("\n55\n") and terminal.wait_for(">>> ")
    terminal.send("\x04")
    done = terminal.job.finish()
    assert done.returncode == 0, done
