"""What the programs of these tests tell, from the output of a job."""

from __future__ import annotations

import collections
import json
import re
from pathlib import Path
from typing import Any

from launching import Finished

PROGRAMS = Path(__file__).resolve().parent / "programs"
PLACED = str(PROGRAMS / "placed.py")
WAITING = str(PROGRAMS / "waiting.py")


def told(done: Finished) -> Any:
    """What ``placed.py`` has told."""
    # A terminal may show more on that line.
    lines = re.findall(r'\{"broker".*\}', done.stdout)
    assert len(lines) == 1, done
    return json.loads(lines[0])


def workers_on(done: Finished) -> dict[str, int]:
    """How many workers ``placed.py`` has found on each node."""
    workers = told(done)["workers"].values()
    return dict(collections.Counter(facts["node"] for facts in workers))


def nodes(done: Finished) -> list[str]:
    """The node of each worker, in the order of their ranks."""
    workers = told(done)["workers"]
    return [workers[rank]["node"] for rank in sorted(workers, key=int)]


def nodes_as_told_by_launcher(done: Finished) -> list[str]:
    """The same, from what our launcher has said where the ranks would be."""
    hosts = told(done)["workers"]["1"]["placed"]
    ranks = [name for part in hosts.split(",") for name, _, count in [part.partition(":")]
             for _ in range(int(count))]
    return ranks[1:]
