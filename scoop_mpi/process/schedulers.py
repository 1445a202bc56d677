"""The scheduler that the job's settings ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from ..base import context
from ..base.tuning import TUNING, Tuning
from ..wire.codec import Codec
from ..wire.endpoint import Endpoint
from ..workers.loop import FIRSTS, Idler
from ..workers.scheduler import Scheduler

T = TypeVar("T")


def make_scheduler(
    endpoint: Endpoint, codec: Codec, idler: Idler, alone: bool = False,
    clock: Callable[[], float] = time.perf_counter, tuning: Tuning = TUNING,
    beside: bool = False, event: Callable[[], threading.Event] = threading.Event,
    firsts: tuple[int, int] = FIRSTS,
) -> Scheduler:
    """The scheduler that the job's settings ask for."""
    job = context.job()
    if job.settings.strict or job.settings.debug or job.settings.profile:
        # Imported here: every rank pays for imports, few need this one.
        from ..observe.instruments import InstrumentedScheduler

        return InstrumentedScheduler(
            endpoint, codec, clock, idler, alone, tuning, beside, event, firsts, job=job)
    return Scheduler(endpoint, codec, clock, idler, alone, tuning, beside, event, firsts)


def run_program(run: Callable[[], T], scheduler: Callable[[], Scheduler]) -> T:
    """Calls ``run``, which is the user's program; ``scheduler`` makes the scheduler.

    If the job's settings ask for what is observed of it, that is made before.
    """
    settings = context.job().settings
    return scheduler().run_program(run) if settings.debug or settings.profile else run()
