"""Time, threads and standard error: what a rank's loops need of the machine.

Waiting. Blocking MPI calls spin, which starves the other ranks of a full node. We
poll instead: at first, if there is a core for every rank, yielding it between two polls;
then sleeping. Ranks of the same host wake each other (``wire.doorbell``). Messages
from elsewhere must be polled for: so in a pool of several hosts a sleep lasts for a
hundredth of the time waited so far, no wait becomes more than about 1 % longer and an
idle rank is quiet. (``time.sleep(0)`` is no yield: it can take 100 µs.)

The loops get the machine passed in, and simulations have one of their own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from ..base.streams import write_error
from ..base.tuning import TUNING, Tuning
from ..wire.doorbell import LONGEST_S
from ..wire.endpoint import ProcessEndpoint


class Machine:
    """Time, threads and standard error, as the loops of a rank use them."""

    def __init__(self, tuning: Tuning = TUNING) -> None:
        self.tuning = tuning

    clock: Callable[[], float] = staticmethod(time.perf_counter)
    """Monotonic seconds."""
    event: Callable[[], threading.Event] = threading.Event

    def give_way(self) -> None:
        """Lets other processes have the core."""
        os.sched_yield()

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        time.sleep(seconds)

    def run_beside(self, work: Callable[[], None]) -> Callable[[], None]:
        """Calls ``work`` in a second thread; returns what waits for its end."""
        # It must get the GIL within about a millisecond.
        sys.setswitchinterval(0.001)
        thread = threading.Thread(target=work, name="scoop_mpi donor", daemon=True)
        thread.start()
        return thread.join

    def report(self, text: str) -> None:
        """Prints ``text`` on standard error, if there is any."""
        if text:
            write_error(text)

    def pause(
        self, waited_s: float, limit_s: float | None = None,
        longest_s: float | None = None, endpoint: ProcessEndpoint | None = None,
        has_mail: Callable[[], bool] | None = None,
    ) -> None:
        """Lets time pass between two polls, the more the longer the wait has lasted.

        Args:
            waited_s: seconds that the wait has lasted.
            limit_s: seconds to sleep at most; None: no limit but ``longest_s``.
            longest_s: longest sleep in which nobody may ring; None: that of a worker.
            endpoint: whose messages are awaited; None: nobody rings.
            has_mail: asked before it sleeps; None: the endpoint is.
        """
        rings = endpoint is not None and endpoint.all_can_ring and not endpoint.transferring()
        if waited_s < self.spin_time(endpoint if rings else None):
            self.give_way()
            return
        if longest_s is None:
            longest_s = self.tuning.sleep_max_s
        nap_s = LONGEST_S if rings else min(waited_s / 100, longest_s)
        if limit_s is not None:
            nap_s = max(0.0, min(nap_s, limit_s))
        if endpoint is None:
            self.sleep(nap_s)
        else:
            endpoint.sleep(nap_s, has_mail or endpoint.has_mail)

    def spin_time(self, endpoint: ProcessEndpoint | None) -> float:
        """Seconds of a wait that are spent yielding, if ``endpoint`` can be woken."""
        crowded = endpoint is not None and endpoint.crowded
        return 0.0 if crowded else self.tuning.yield_s


MACHINE = Machine()
"""The one that this process runs on."""
report = MACHINE.report
