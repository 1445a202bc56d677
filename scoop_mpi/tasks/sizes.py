"""In what size work is cut: numbers in, numbers out.

A piece takes some hundred times as long as it was measured to take to give one, so that
trading takes little of a worker's time. A giver whom thousands of workers ask must have
served them all before the first one asks again: so gifts grow with the pool.
"""

from __future__ import annotations

from ..base.tuning import Tuning


class Sizes:
    """Seconds of work to aim at, for one worker in a pool of ``workers``."""

    def __init__(self, tuning: Tuning, workers: int) -> None:
        self.workers = workers
        self.piece_s = tuning.piece_s
        """In a piece."""
        self.run_s = tuning.piece_s
        """In a piece that is run here, at most."""
        self.gift_s = max(tuning.piece_s, tuning.gift_cost_s * workers)
        """In a gift, for each of its takers."""
        self.least_s = 0.0
        """In a gift even if that is more than its taker's share."""
        self._cost_s = tuning.gift_cost_s
        self._tuning = tuning

    def learn_cost(self, seconds: float) -> None:
        """Notes how long it took to give a piece away."""
        tuning, known_s = self._tuning, self._cost_s
        if seconds > tuning.cost_jump * known_s:
            seconds = tuning.cost_jump * known_s
        self._cost_s = cost_s = known_s + tuning.cost_learning * (seconds - known_s)
        piece_s = min(tuning.costs_in_a_piece * cost_s, tuning.piece_max_s)
        self.piece_s = piece_s = max(tuning.piece_s, piece_s)
        gift_s = tuning.costs_in_a_round * cost_s * self.workers
        if gift_s > piece_s:
            self.gift_s, self.least_s = gift_s, (gift_s - piece_s) * tuning.least_part
        else:
            self.gift_s, self.least_s = piece_s, 0.0

    def in_a_bundle(self, estimate_s: float, available: int) -> int:
        """Tasks in a gift, for each of its takers; ``estimate_s``: of one; 0.0: not known."""
        if not estimate_s:
            return 1
        tuning = self._tuning
        fair = available // (tuning.gifts_in_a_share * self.workers)
        return max(1, min(int(self.gift_s / estimate_s), fair, tuning.bundle_max))
