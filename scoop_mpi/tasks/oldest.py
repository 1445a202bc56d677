"""The oldest of a worker's own tasks, found without a search.

The front of a dict that is used from both ends has gaps, and every look at the front passes
over all of them. So many ids are listed at a time.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from .future import Future

LISTED_MIN = 256
"""Ids that are listed at a time, at least."""


class Oldest:
    """The oldest task of ``own``, for one of the two threads: each has a list of its own."""

    def __init__(self, own: dict[int, Future[Any]]) -> None:
        self._own = own
        self._listed: deque[int] = deque()

    def peek(self) -> Future[Any] | None:
        """The oldest task, which stays where it is; None: there is none."""
        own, listed = self._own, self._listed
        while True:
            while listed:
                task = own.get(listed[0])
                if task is not None:
                    return task
                listed.popleft()
            try:
                listed.extend(islice(own, max(LISTED_MIN, len(own) // 8)))
            except RuntimeError:
                continue  # the other thread has changed the dict between those two C calls
            if not listed:
                return None
