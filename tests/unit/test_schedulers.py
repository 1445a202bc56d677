"""Which scheduler the settings of a job ask for."""

import pytest

from scoop_mpi.base import context
from scoop_mpi.base.job import Job, Settings
from scoop_mpi.observe.instruments import InstrumentedScheduler
from scoop_mpi.process.schedulers import make_scheduler
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.memory import Network
from scoop_mpi.workers.scheduler import Scheduler


@pytest.mark.parametrize("settings, kind", [
    ({}, Scheduler), ({"debug": True}, InstrumentedScheduler),
    ({"profile": True}, InstrumentedScheduler), ({"strict": True}, InstrumentedScheduler),
])
def test_only_who_looks_on_pays_for_it(monkeypatch, tmp_path, settings, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "_job", Job(rank=1, settings=Settings(**settings)))
    endpoint = Network(2, 0).endpoint(1)
    assert type(make_scheduler(endpoint, Codec(), idler=None)) is kind
