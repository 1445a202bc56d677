"""Measures on this machine what ``costs`` keeps, in one process; needs an MPI library."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

from scoop_mpi.base.messages import Grant, Items, Message, Offer, Request, Results
from scoop_mpi.broker.broker import Broker
from scoop_mpi.wire.codec import Codec
from scoop_mpi.wire.outcomes import ItemsOutcome, Outcomes
from scoop_mpi.workers.scheduler import Scheduler

from .costs import Costs


def measure() -> Costs:
    """The costs here; what needs a network is as in ``Costs``. Takes a few seconds."""
    from scoop_mpi.wire.mpi import MpiEndpoint

    endpoint, codec = MpiEndpoint(), Codec()
    few, many = [1], list(range(10_000))
    few_bytes, many_bytes = codec.dumps(few, {}), codec.dumps(many, {})
    by_name = codec.dumps(_same, {})
    small = Request((1,)), Results((), 0.0, few_bytes, few_bytes, ())
    sends, receives = zip(*[_there_and_back(endpoint, one) for one in small])
    grant = sum(_there_and_back(endpoint, Grant(tuple(range(1000)))))
    large = sum(_there_and_back(endpoint, Results((), 0.0, bytes(50_000), b"", ())))
    send_s, receive_s = sum(sends) / 2, sum(receives) / 2
    both = send_s + receive_s
    dumps_s = (_seconds(lambda: codec.dumps(few, {}))
               + _seconds(lambda: codec.dumps(_same, {}))) / 2
    loads_s = (_seconds(lambda: codec.loads(few_bytes))
               + _seconds(lambda: codec.loads(by_name))) / 2
    owner_s = _owner_s()
    alone, clock = _Alone(), time.perf_counter
    scheduler = Scheduler(alone, codec, clock, alone)
    return replace(
        Costs(),
        trade_s=(owner_s - 2 * dumps_s - 2 * loads_s) / 3,
        look_s=_seconds(scheduler.look),
        submit_s=_seconds(lambda: scheduler.submit(_same, (1,), None), 1000),
        send_s=send_s, receive_s=receive_s,
        byte_s=max(0.0, (large - both) / 100_000), item_s=(grant - both) / 2000,
        poll_s=_seconds(endpoint.receive),
        dumps_s=dumps_s, loads_s=loads_s,
        dumps_byte_s=_seconds(lambda: codec.dumps(many, {}), 20) / len(many_bytes),
        loads_byte_s=_seconds(lambda: codec.loads(many_bytes), 20) / len(many_bytes),
        match_s=_match_s(), scan_s=_scan_s(),
        oversleep_s=_seconds(lambda: time.sleep(1e-5), 200, time.perf_counter) - 1e-5,
    )


def _seconds(
    call: Callable[[], Any], times: int = 2000, clock: Callable[[], float] = time.process_time
) -> float:
    """Of one call: the median over some rounds, by default of the time on a core."""
    rounds = []
    for _ in range(9):
        began = clock()
        for _ in range(times):
            call()
        rounds.append((clock() - began) / times)
    return median(rounds)


def _there_and_back(endpoint: Any, message: Message, batch: int = 16) -> tuple[float, float]:
    """Seconds of a send and of a receive of ``message``, from this rank to itself."""
    sends, receives = [], []
    for _ in range(100):
        began = time.process_time()
        for _ in range(batch):
            endpoint.send(endpoint.rank, message)
        sent = time.process_time()
        arrived = 0
        while arrived < batch:
            arrived += endpoint.receive() is not None
        endpoint.progress()
        sends.append((sent - began) / batch)
        receives.append((time.process_time() - sent) / batch)
    return median(sends), median(receives)


def _match_s() -> float:
    broker = Broker(1000)

    def pair() -> None:
        broker.handle(5, Request((5,)))
        broker.handle(6, Offer())

    return _seconds(pair) / 2


def _scan_s() -> float:
    """For each of many offers that stand while nobody is idle."""
    broker, offers = Broker(10_000), 1000
    for source in range(2, 2 + offers):
        broker.handle(source, Offer())
    return _seconds(lambda: broker.handle(2, Offer()), 20) / offers


def _same(item: int) -> int:
    return item


class _Alone:
    """An endpoint whose messages are put in and taken out by hand; an idle policy, too."""

    rank = 1
    size = 1002

    def __init__(self) -> None:
        self.arrived: deque[tuple[int, Message]] = deque()
        self.sent: list[tuple[int, Message]] = []

    def send(self, dest: int, message: Message) -> None:
        self.sent.append((dest, message))

    def receive(self) -> tuple[int, Message] | None:
        return self.arrived.popleft() if self.arrived else None

    def progress(self) -> None:
        pass

    def transferring(self) -> bool:
        return False

    def pause(self, waited_s: float, limit_s: float | None) -> None:
        raise AssertionError("nobody waits here")

    def resume(self) -> None:
        pass


def _owner_s(workers: int = 32, rounds: int = 100) -> float:
    """The owner of a map, for each chunk that another worker asks for and runs."""
    endpoint, now = _Alone(), 0.0
    scheduler = Scheduler(endpoint, Codec(), lambda: now, endpoint)
    call = scheduler.open_map(_same, iter(range(workers * (rounds + 2))), False, None, None)
    call.learn(0.01)
    endpoint.arrived.append((0, Grant(tuple(range(2, 2 + workers)))))
    outcomes = Outcomes(Codec(), 2)
    times = []
    for _ in range(rounds):
        now += 1.0
        began = time.process_time()
        scheduler.look()
        times.append((time.process_time() - began) / workers)
        given = [(dest, one) for dest, one in endpoint.sent if isinstance(one, Items)]
        endpoint.sent.clear()
        for dest, chunk in given:
            values = list(range(chunk.start, chunk.start + chunk.length))
            record = outcomes.record(ItemsOutcome(
                chunk.map_id, chunk.start, chunk.length, 0.01, values, None))
            endpoint.arrived.append((dest, outcomes.pack([], [record])))
            endpoint.arrived.append((dest, Request((dest,))))
    return median(times)
