"""The verbs of scoop_mpi.futures give what their serial counterparts give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Finished, checks_in, tuned

Run = Callable[..., Finished]


@pytest.mark.parametrize("check", [*checks_in("verbs.py"), "the end"])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_verb(look: Callable[[str, int, str], None], ranks: int, check: str) -> None:
    look("verbs.py", ranks, check)


@pytest.mark.parametrize("check", [*checks_in("time_limits.py"), "the end"])
def test_time_limit(look: Callable[..., None], check: str) -> None:
    look("time_limits.py", 3, check, env=tuned(patience_deadlines_s=9.0))


NEVER_WAITED_FOR = """
import os, sys, time
from scoop_mpi import futures

def note(text):
    time.sleep(0.02)
    with open("notes.txt", "a") as file:
        file.write(text + "\\n")

def note_and_submit(number):
    note(f"outer {number}")
    for inner in range(3):
        futures.submit(note_and_end, f"inner {number} {inner}")

def note_and_end(text):
    note(text)
    futures.submit(note, text.replace("inner", "innermost"))

if __name__ == "__main__":
    for number in range(5):
        futures.submit(note_and_submit, number)
    futures.map(note, ["mapped 0", "mapped 1", "mapped 2"])
    sys.exit(3)
"""


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_what_is_never_waited_for_runs_before_the_end(
    run: Run, tmp_path: Path, ranks: int
) -> None:
    expected = [f"outer {n}" for n in range(5)]
    expected += [f"{kind} {n} {m}" for kind in ("inner", "innermost")
                 for n in range(5) for m in range(3)]
    finished = run(NEVER_WAITED_FOR, ranks=ranks)
    notes = (tmp_path / "notes.txt").read_text().splitlines()
    assert sorted(note for note in notes if not note.startswith("mapped")) == sorted(expected)
    assert finished.returncode == 3, finished


LINES = """
import os, time
from scoop_mpi import futures

def speak(number):
    print(f"line {number} of {os.getpid()}")
    time.sleep(0.4)

if __name__ == "__main__":
    print(f"root {os.getpid()}")
    list(futures.map(speak, range(12)))
    print("done")
    time.sleep(2)
"""


def test_output_of_workers_comes_line_by_line(run: Run) -> None:
    finished = run(LINES, ranks=3)
    assert finished.returncode == 0, finished
    arrived = {line: before_end for before_end, line in finished.lines}
    root = next(line.split()[1] for line in arrived if line.startswith("root"))
    by_workers = [before_end for line, before_end in arrived.items()
                  if line.startswith("line") and not line.endswith(f" {root}")]
    assert by_workers, finished
    # Two workers take 2.4 s for the map, and 2 s of silence follow.
    assert max(by_workers) > 3.0, finished.lines
    assert min(by_workers) > 1.5, finished.lines
    assert len(arrived) == 14, finished.lines
