"""A whole pool in one process: the real loops of all ranks on a network in memory.

Every thread of every rank (the one that runs tasks, and the donor) lives in greenlets, and
so does the broker. The driver picks at random, from a seed, what happens next: a message
arrives, or a thread goes on for a while: until it rests, until user code breathes, or, in
a part of the simulations, until it is interrupted at a random point of the package
(``preemption``). How fast the clock runs is drawn from the seed, too. Now and then all
threads go on to a point at which no work is in their hands; then ``ledger`` looks whether
each task and item is in exactly one place. The driver notices when nothing moves any more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

from greenlet import getcurrent

import preemption
from ledger import (
    Answers, CheckedState, SimulatedMapCall, SimulatedScheduler, ValidatedBroker, check_places,
)
from ranks import Lock, Rank, Thread
from scoop_mpi.base import context
from scoop_mpi.base.messages import BROKER, ROOT, Failure, Left
from scoop_mpi.base.tuning import TUNING, Tuning
from scoop_mpi.process import alone, broker_rank, rank, schedulers
from scoop_mpi.process.program import Ending
from scoop_mpi.tasks.chunk import Chunk
from scoop_mpi.tasks.future import Future
from scoop_mpi.wire.memory import Network
from scoop_mpi.workers import scheduler

STUCK_AFTER = 400
"""Steps for each rank without any visible change that count as stuck."""
STEPS_AT_MOST = 1_000_000
LEAP_AFTER = 10
"""Steps for each rank without any visible change after which time begins to fly."""
LONGEST_LEAP_S = 1.0
CHECK_EVERY = 16
"""Steps between two looks at all books, on average."""
EXCUSES = 200
"""Turns that all threads together get to come to rest before such a look."""


class Stuck(AssertionError):
    """Nothing moves any more, or something moves for ever, but the job has not ended."""


class Simulation:
    """A pool of ``workers`` workers; ``seed`` decides all that is left to chance.

    Args:
        tick_s: virtual seconds that pass at each look at the clock.
        switching: the chance of a switch to another thread at each point of the package.
        timeout_s: that of the job.
        troubles: why workers, by rank, cannot import the program.
        in_order: no message overtakes another one of the same sender and receiver, as
            over MPI if both are small; else any may.
        steps_at_most: it counts as stuck after so many, whatever moves in it.
    """

    def __init__(
        self, workers: int, seed: int, *, tick_s: float | None = None,
        switching: float | None = None, timeout_s: float | None = None,
        troubles: Mapping[int, Failure | Left] | None = None, in_order: bool = False,
        tuning: Tuning = TUNING, steps_at_most: int = STEPS_AT_MOST,
    ) -> None:
        self._steps_at_most = steps_at_most
        self.tuning = tuning
        self.network = Network(workers + 1, seed)
        self.random = chance = self.network.random
        self.tick_s = tick_s or 10 ** chance.uniform(-6, -3)
        drawn = chance.choice([0.0, 0.0, 0.003, 0.03, 0.3])
        self.switching = drawn if switching is None else switching
        self.delivery = chance.choice([0.5, 0.5, 0.1, 0.9])
        self.large = chance.choice([0.0, 0.2])
        self.timeout_s = timeout_s
        self.troubles = troubles or {}
        self.in_order = in_order
        self.executed: Counter[Any] = Counter()
        """How often each task's body was entered; filled in by the program."""
        self.signs_of_life = 0
        """What else the program has done that moves it on; counted by the program."""
        self.result: Any = None
        self.answers = Answers()
        self.reports: list[str] = []
        """What was printed on standard error."""
        self.aborted: int | None = None
        """The exit code of MPI_Abort, if it was called."""
        self.steps = 0
        self.looks = 0
        """How often all books were looked at."""
        self.current: Thread | None = None
        """The thread whose turn it is; None: the driver's."""
        self.driver = getcurrent()
        self.threads: list[Thread] = []
        self.ranks: list[Rank] = []
        self._now = 0.0
        self._quiet = 0
        self._visible = 0
        self._in_hands = 0
        self._leap_s = self.tick_s
        self._program: Callable[[], Any] = lambda: None

    # -- what the ranks call -----------------------------------------------

    def clock(self) -> float:
        """Virtual seconds."""
        self._now += self.tick_s
        return self._now

    def breathe(self, in_task: bool = True) -> None:
        """Called by user code, which takes its time here: others may go on.

        Args:
            in_task: called by a task, a callback or the program; else by something that
                the package calls while work is in its hands, such as a reducer.
        """
        self.give_way(at_rest=in_task, in_user_code=True)

    @contextmanager
    def work_in_hands(self) -> Iterator[None]:
        """Entered by what the package calls, while it waits: work is in the package's hands."""
        self._in_hands += 1
        try:
            yield
        finally:
            self._in_hands -= 1

    def give_way(self, at_rest: bool, in_user_code: bool = False) -> None:
        """Gives the driver its turn."""
        thread = self.current
        assert thread is not None
        thread.where = getcurrent()
        thread.at_rest, thread.in_user_code = at_rest, in_user_code
        self.driver.switch()

    def wait_until(self, awaited: Callable[[], bool], at_rest: bool = False) -> None:
        """The calling thread is blocked."""
        thread = self.current
        assert thread is not None
        thread.awaited = awaited
        self.give_way(at_rest)
        thread.awaited = None

    def interrupt(self) -> None:
        """At a point: another thread has its turn."""
        if self.current is not None:
            self.give_way(at_rest=False)
        self._arm()

    def _arm(self) -> None:
        if self.switching:
            points = 1 + int(self.random.expovariate(self.switching))
            preemption.arm(points, self.interrupt)

    def check_lock(self, number: int) -> None:
        """The endpoint may be called by one thread at a time."""
        place = self.ranks[number]
        if len(place.threads) > 1 and not place.threads[1].over:
            assert place.scheduler is not None
            assert place.scheduler.exchange.lock.owner is self.current  # type: ignore

    def run_program(self) -> Ending:
        """The program, on the root."""
        try:
            self.result = self._program()
        except SystemExit as request:
            return Ending(request.code)  # type: ignore[arg-type]
        except AssertionError:
            raise  # the simulation has found something
        except Exception as error:
            return Ending(1, failed=True, text=repr(error))
        return Ending(0)

    # -- the driver --------------------------------------------------------

    def run(self, program: Callable[[], Any]) -> Any:
        """Runs ``program`` on the root; the job ends well; returns its result."""
        exit_code = self.run_job(program)
        assert (exit_code, self.aborted, self.reports) == (0, None, []), self.reports
        return self.result

    def run_job(self, program: Callable[[], Any]) -> int:
        """Runs ``program`` on the root until the job has ended; returns the exit code."""
        self._program = program
        stubs: dict[str, Any] = {
            "take_stdin": lambda: None, "leave_stdin": lambda: None,
            "announce_root": lambda: None, "hear_interrupts": lambda: False,
            "_on_ctrl_c": lambda handler: None,
        }
        with ExitStack() as stack:
            stack.enter_context(mock.patch.multiple(rank, **stubs))
            stack.enter_context(mock.patch.object(schedulers, "Scheduler", SimulatedScheduler))
            stack.enter_context(mock.patch.object(scheduler, "MapCall", SimulatedMapCall))
            stack.enter_context(mock.patch.object(broker_rank, "Broker", ValidatedBroker))
            stack.enter_context(mock.patch.object(Future, "state", CheckedState()))
            stack.enter_context(preemption.locks(partial(Lock, self)))
            if self.switching:
                stack.enter_context(preemption.possible())
            stack.callback(context.on_first_use, alone.start_without_launcher)
            stack.callback(context.install, None)
            self.ranks = [Rank(self, number) for number in range(self.network.size)]
            self.threads += [place.main for place in self.ranks]
            self._arm()
            while self.aborted is None and not all(place.finished for place in self.ranks):
                self.step()
                self._look_for_movement()
                if self.random.random() < 1 / CHECK_EVERY:
                    self.check()
        return self._end()

    def _end(self) -> int:
        if self.aborted is not None:
            return self.aborted
        [code] = {place.exit_code for place in self.ranks}
        assert code is not None
        if self.ranks[BROKER].exit_code == 0:
            for place in self.ranks[ROOT:]:
                chunks = place.scheduler.backlog.chunks
                # What nobody wanted any more may still have been on its way.
                assert not any(self._is_wanted(chunk) for chunk in chunks)
                chunks.clear()
                assert not place.scheduler.exchange.unfinished()
        for place in self.ranks:
            assert not place.endpoint.transferring(), "a message is in flight for ever"
        return code

    def _is_wanted(self, chunk: Chunk) -> bool:
        owner = self.ranks[chunk.owner].scheduler
        assert owner is not None
        return chunk.map_id in owner.exchange.ledger.maps

    def step(self) -> None:
        """One random event."""
        self.steps += 1
        if self.network.in_flight and self.random.random() < self.delivery:
            self._deliver_one()
            self._quiet = 0
        else:
            thread = self.random.choice([one for one in self.threads if one.can_go()])
            at_rest = self._turn(thread)
            self._quiet += at_rest  # no sign of anything if it was interrupted
            threads = thread.rank.threads
            if thread.rank.scheduler is not None and all(t.at_rest or t.over for t in threads):
                thread.rank.scheduler.validate()

    def _deliver_one(self) -> None:
        network = self.network
        if self.in_order:
            source, dest, *_ = self.random.choice(network.in_flight)
            message = next(one for one in network.in_flight if one[:2] == (source, dest))
            network.in_flight.remove(message)
            network.arrived[dest].append(message)
        else:
            network.deliver_one()

    def _turn(self, thread: Thread) -> bool:
        """Lets a thread go on; True if it is at rest then."""
        thread.at_rest = thread.in_user_code = False
        thread.due = math.inf
        thread.rank.enter(thread)
        self.current = thread
        try:
            thread.where.switch()
        finally:
            self.current = None
            thread.rank.leave(thread)
        return thread.at_rest or thread.over

    def _look_for_movement(self) -> None:
        """Lets time fly while nothing moves; raises if that lasts too long."""
        size = len(self.ranks)
        visible = len(self.network.log) + self.executed.total() + self.signs_of_life
        if visible != self._visible:
            self._quiet, self._visible, self._leap_s = 0, visible, self.tick_s
        if self._quiet > LEAP_AFTER * size and self.settle():
            if not self.network.in_flight and not any(self.network.arrived):
                self._let_time_fly()
        if self._quiet > STUCK_AFTER * size or self.steps > self._steps_at_most:
            raise Stuck(self.describe())

    def _let_time_fly(self) -> None:
        """The faster, the longer it does; but somebody's deadline is not flown over."""
        due = min(thread.due for thread in self.threads)
        if self._now + self._leap_s < due:
            self._now += self._leap_s
            self._leap_s = min(self._leap_s * 2 ** (1 / len(self.ranks)), LONGEST_LEAP_S)
        else:
            self._now, self._leap_s = max(self._now, due), self.tick_s

    # -- what must always hold ---------------------------------------------

    def check(self) -> None:
        """Every task and item is in exactly one place; none ran twice."""
        twice = [task for task, times in self.executed.items() if times > 1]
        assert not twice, f"run twice: {twice[:5]}"
        if not self._in_hands and self.settle() and not self._in_hands:
            self.looks += 1
            check_places(self)

    def settle(self) -> bool:
        """Lets threads go on until no work is in anybody's hands; False if that fails."""
        preemption.arm(0, self.interrupt)
        for _ in range(EXCUSES):
            moving = [one for one in self.threads if not (one.at_rest or one.over)]
            able = [one for one in moving if one.can_go()]
            if not able:
                break
            self._turn(self.random.choice(able))
        self._arm()
        return not moving

    def describe(self) -> str:
        """The state of all ranks, for a failure's message."""
        lines = [f"tick {self.tick_s:g} s, now {self._now:g} s, switching {self.switching}, "
                 f"step {self.steps}, in flight {len(self.network.in_flight)}"]
        for place in self.ranks[ROOT:]:
            if place.scheduler is None:
                continue
            exchange, backlog = place.scheduler.exchange, place.scheduler.backlog
            trader, ledger = exchange.trader, exchange.ledger
            lines.append(
                f"rank {place.rank}: own {len(backlog.own)} foreign {len(backlog.foreign)} "
                f"chunks {[(c.owner, c.map_id, c.start, len(c)) for c in backlog.chunks]} "
                f"sent {list(ledger.sent)} "
                f"maps {[(m.id, m.remaining, m.unfinished) for m in ledger.maps.values()]} "
                f"asked {trader.asked} offered {trader.offered} fed by {trader.fed_by} "
                f"waiting {len(place.scheduler.board.asleep)} finished {place.finished} "
                f"in user code {place.main.in_user_code}"
            )
        return "\n".join(lines)
