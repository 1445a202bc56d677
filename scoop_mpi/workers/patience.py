"""How long work is left to other workers while somebody here waits: numbers in, decisions out.

Tasks cannot be interrupted. So near the deadline of a wait, work that may outlast it is left
to other workers, and so it is between the polls of a program. But if nobody takes any for
long, all may wait for one another: each in many short waits, or each in a tree of long ones.
So patience is not that of one wait, and it wears off.
"""

from __future__ import annotations

from ..base.tuning import Tuning


class Patience:
    """That of one worker; ``now``: seconds on the scheduler's clock."""

    def __init__(self, tuning: Tuning, now: float) -> None:
        self._tuning = tuning
        self._deadlines_s = tuning.patience_deadlines_s
        self._refused_at: float | None = None
        self._had_work = False
        self._taken = 0
        self._polled_since = now
        self._polled_with = 0

    def is_over(self, now: float, gifts: int, has_work: bool) -> bool:
        """Has work been left to others near a deadline, of which they took none, for long enough?

        Args:
            gifts: pieces of work given away so far.
            has_work: there is some that has not begun.
        """
        longest_s = self._tuning.patience_deadlines_s
        if self._taken != gifts:
            self._taken = gifts
            self._refused_at = now
            self._deadlines_s = min(self._deadlines_s / self._tuning.patience_wear, longest_s)
        elif self._refused_at is None or has_work and not self._had_work:
            self._refused_at = now
        self._had_work = has_work
        return now - self._refused_at > self._deadlines_s

    def work_begins(self, was_over: bool) -> None:
        """A piece begins near a deadline; ``was_over``: as nobody else has taken it."""
        self._refused_at = None
        if was_over:
            self._deadlines_s *= self._tuning.patience_wear

    def polls_are_over(self, now: float, created: int) -> bool:
        """A program polls. Has it done so for long enough, without creating tasks?

        However far apart the polls are: each may come after a sleep.
        """
        if created != self._polled_with:
            self._polled_since, self._polled_with = now, created
        return now - self._polled_since > self._tuning.patience_polls_s
