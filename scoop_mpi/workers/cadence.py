"""When a worker looks at the network, and when it gives work away: numbers in, decisions out.

Knows neither network nor work. A look costs some 50 µs of a busy worker, a message and its
answer some hundred of two: so a busy worker looks every few milliseconds, offers only what
it has had for a while, and rations itself when what it gave turned out to be small.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from operator import itemgetter

from ..base.tuning import Tuning
from ..tasks.sizes import Sizes

LOOKS_KEPT = 4096
"""Looks for which it is remembered how many tasks there were."""


class Cadence:
    """The rhythm of one worker; ``now``: seconds on the scheduler's clock."""

    def __init__(self, tuning: Tuning, sizes: Sizes, now: float) -> None:
        self.looked_at = now
        self.stride = 1
        """Tasks to run until the next look."""
        self.overslept = False
        """Was the last look late: do tasks take longer than those before?"""
        self.may_give = False
        """May this worker give work away that it could run itself?"""
        self.ration_s = tuning.ration_s
        """Seconds to give nothing after a small gift."""
        self._busy_since = now
        self._gives_from = now
        self._sizes = sizes
        self._tuning = tuning
        self._looks: deque[tuple[int, float]] = deque([(0, now)], LOOKS_KEPT)

    def look(self, now: float, created: int, has_work: bool) -> None:
        """The network is looked at now.

        Args:
            created: tasks and maps that this worker has created so far.
            has_work: there is some that has not begun.
        """
        passed_s, self.looked_at = now - self.looked_at, now
        if created != self._looks[-1][0]:
            self._looks.append((created, now))
        aim_s = self._tuning.look_every_s
        self.overslept = passed_s > aim_s
        if passed_s > aim_s:
            self.stride = max(1, int(self.stride * aim_s / passed_s))
        elif passed_s < aim_s / 2:
            self.stride = min(2 * self.stride, self._tuning.tasks_per_look_max)
        if not has_work:
            self._busy_since = now
        busy_s, share_after_s = now - self._busy_since, self._tuning.share_after_s
        self.may_give = busy_s > share_after_s and now > self._gives_from
        # The first pieces are short, so that others get some soon.
        self._sizes.run_s = max(share_after_s, busy_s)

    def work_begins(self, now: float) -> None:
        """There is work again, after there was none."""
        self._busy_since = now

    def idle_ends(self, now: float) -> None:
        """The same, after a wait: nothing is known of how long tasks take now."""
        self.stride = 1
        self._busy_since = now

    def gave(self, now: float, cost_s: float, pieces: int, small: bool) -> None:
        """Pieces of work were given away at a look.

        Args:
            cost_s: seconds that it took.
            small: the last one was too little for the price of its messages.
        """
        self._sizes.learn_cost(cost_s / pieces)
        if small:
            self._gives_from = now + self.ration_s

    def gift_came_back(self, elapsed_s: float) -> None:
        """What has been given away has taken ``elapsed_s`` seconds in all."""
        tuning = self._tuning
        if elapsed_s < tuning.small_gift_s:
            self.ration_s = min(2 * self.ration_s, tuning.ration_max_s)
        else:
            self.ration_s = tuning.ration_s

    def creation_time(self, number: int) -> float | None:
        """When that many tasks had been created: at the next look; None: not looked since."""
        looks = list(self._looks)
        at = bisect_left(looks, number, key=itemgetter(0))
        return looks[at][1] if at < len(looks) else None
