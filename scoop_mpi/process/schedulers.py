"""The scheduler that the job's settings ask for."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..base import context
from ..base.tuning import TUNING, Tuning
from ..wire.codec import Codec
from ..wire.endpoint import Endpoint
from ..workers.loop import Idler
from ..workers.scheduler import Scheduler


def make_scheduler(
    endpoint: Endpoint, codec: Codec, idler: Idler, alone: bool = False,
    clock: Callable[[], float] = time.perf_counter, tuning: Tuning = TUNING,
) -> Scheduler:
    """The scheduler that the job's settings ask for."""
    job = context.job()
    if job.settings.strict or job.settings.debug or job.settings.profile:
        # Imported here: every rank pays for imports, few need this one.
        from ..observe.instruments import InstrumentedScheduler

        return InstrumentedScheduler(endpoint, codec, clock, idler, alone, tuning, job=job)
    return Scheduler(endpoint, codec, clock, idler, alone, tuning)
