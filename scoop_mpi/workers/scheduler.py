"""What the verbs ask of a worker: tasks and maps are created, and waited for.

Waiting for a single task that nobody has started yet runs it right there, in the waiting
greenlet: it could do nothing else. That is what makes fork-join cheap. It nests, so after
``Tuning.inline_depth`` levels a fresh runner takes over.

Whoever a signal handler may raise an exception for (``signals``: the program, and tasks
that have installed one) does so only with functions that were quick so far: the
exception must not strike another task that happens to run on its stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any, TypeVar, cast

from ..base import context
from ..base.messages import BROKER, Constant, Define, Message
from ..tasks.future import CANCELLED, FINISHED, Future
from ..tasks.mapcall import MapCall
from .constants import Constants
from .enquiries import Answer, Question
from .loop import POLLING, Loop
from .switchboard import Parked
from .trader import Terms

T = TypeVar("T")

DONATING = Terms(donor=True, eager=True)
DONATING_HEAVY = Terms(donor=True)
"""The same, of what is not sooner run than sent."""


class Scheduler(Loop):
    """The worker on the endpoint's rank."""

    __slots__ = ()

    # -- creating work -----------------------------------------------------

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Future[Any]:
        """Creates a task; it may start here or elsewhere from now on."""
        self.created = id_ = self.created + 1
        self._own[id_] = future = Future(id_, func, args, kwargs, self.running)
        self._countdown -= 1
        if self._countdown < 0:
            self.look()
        return future

    def open_map(
        self, func: Callable[..., Any], inputs: Iterable[Any], starred: bool,
        chunksize: int | None, buffersize: int | None,
    ) -> MapCall:
        """Creates a map call; its items may start here or elsewhere from now on."""
        self.created += 1
        if not self.backlog:
            self._cadence.work_begins(self.clock())
        call = MapCall(
            self.created, self.rank, func, inputs, starred, workers=self.workers,
            chunksize=chunksize, buffersize=buffersize, tuning=self.tuning,
        )
        self.ledger.open_map(call)
        self.look()
        return call

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as tasks should call it (:mod:`scoop_mpi.observe.strict`); here: as it is."""
        return func

    def creation_time(self, number: int) -> float:
        """When the own task of that number was created: at the next look, on the clock."""
        created_at = self._cadence.creation_time(number)
        return self.clock() if created_at is None else created_at

    def typical_time(self, func: Callable[..., Any]) -> float:
        """Seconds that calls of ``func`` take by the newest measurements; 0.0: none."""
        return self._estimates.get(func)

    def story_of(self, future: Future[Any]) -> str:
        """Where an own task is and how it came there, in one line."""
        return self.ledger.story.of_task(future, self.clock())

    def story_of_item(self, call: MapCall, index: int) -> str:
        """The same of an item of an own map."""
        return self.ledger.story.of_item(call.id, index, self.clock())

    def claim(self, future: Future[Any]) -> bool:
        """Takes an unstarted task out of the backlog; False if it is too late."""
        return self.backlog.claim(future)

    # -- waiting -----------------------------------------------------------

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """Returns when ``future`` is done.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        if timeout is not None:
            self._wait_until(future, timeout)
            return
        if self.backlog.turn:
            self.step()
        room = self._room
        if (
            (room or future.func is self._quick and room is None
             and future.listeners is None)
            and not self._ready  # whoever is ready goes first
            and not (self._news and self._take_news())
            and self._own.pop(future.number, None) is not None
        ):
            outer, self.running = self.running, future.number
            self._room = room - 1 if room else self.tuning.inline_depth
            try:
                if self._measure:
                    self._run_timed(future)
                else:
                    future.run()
            finally:
                self._room = room
                self.running = outer
            del future  # its error's traceback may refer to this frame: no cycle
            self._countdown -= 1
            if self._countdown < 0:
                self.look()
        elif room is None:
            self._wait_apart(future)
        else:
            self._wait(future)

    def _wait_until(self, future: Future[Any], timeout: float) -> None:
        if future.state is CANCELLED:
            return
        deadline = self.clock() + timeout
        if timeout <= 0 or not self.exchange.peers:
            self.poll()
        else:
            self.look()
        while future.state is not FINISHED and future.state is not CANCELLED:
            if self.clock() >= deadline:
                told = self.story_of(future)
                raise TimeoutError(f"{future!r} is not done after {timeout} s: {told}")
            parked = Parked(self._ready)
            future.add_waiter(parked)
            try:
                self.park(parked, deadline)
            finally:
                future.remove_waiter(parked)

    def _wait(self, future: Future[Any]) -> None:
        while future.state is not FINISHED and future.state is not CANCELLED:
            parked = Parked(self._ready)
            future.add_waiter(parked)
            self.park(parked)

    def _wait_apart(self, future: Future[Any]) -> None:
        """As :meth:`_wait`; the task runs next, on another stack, if it does so here."""
        if self._own.pop(future.number, None) is not None:
            self._own[future.number] = future  # now the newest
            self._measure = True
        self._wait(future)
        func = future.func
        if _holds_nothing(func) and self._estimates.is_quick(func):
            self._quick = func

    def wait_for_map(self, call: MapCall, deadline: float | None) -> None:
        """Returns when further results of ``call`` have come, or at ``deadline``."""
        parked = Parked(self._ready)
        call.on_arrival = parked.wake
        try:
            self.park(parked, deadline)
        finally:
            call.on_arrival = None

    def parked(self) -> Parked:
        """A handle on the calling greenlet, for :meth:`park`."""
        return Parked(self._ready)

    def _take_news(self) -> bool:
        """Constants have come, which tasks that start now must see; is anybody ready?"""
        self.look()
        return bool(self._ready)

    @property
    def constants(self) -> Constants:
        """The shared constants that this worker knows."""
        return self.exchange.constants

    def inherit(self, constants: Constants) -> None:
        """In a forked child: it can read what its parent could."""
        self.exchange.constants.inherit(constants)

    def pack_constant(self, name: str, value: object) -> Constant:
        """A constant of this rank, ready to be defined.

        Raises:
            NotPicklableError: ``value`` cannot be pickled.
        """
        return self.exchange.parcels.pack_constant(name, value)

    def consult(self, make: Callable[[int], Question]) -> Answer:
        """Asks the broker about constants; other tasks run until it has answered.

        Args:
            make: makes the question, given its ticket.
        """
        parked = Parked(self._ready)
        enquiries = self.exchange.enquiries
        question = enquiries.ask(make, parked.wake)
        if isinstance(question, Define):
            self.exchange.constants.define(question.ticket, question.constants)
        self.tell_broker(question)
        try:
            self.park(parked)
        except BaseException:
            enquiries.ignore(question.ticket)
            raise
        return enquiries.take(question.ticket)

    def poll(self) -> None:
        """Takes in what has arrived, lets greenlets go on that are ready, and runs one
        piece of work if nobody else does.

        (Else a program that polls ``done()`` would wait for ever.)
        """
        self.look(POLLING)
        nobody_helps = self._patience.polls_are_over(self.clock(), self.created)
        # Others that poll may have stepped aside for this one, which waits for one of them.
        can_step = self.backlog or self.board.stepping
        if self._ready or not self.exchange.peers or nobody_helps and can_step:
            self.step()

    def step(self) -> None:
        """Lets greenlets go on that are ready, and one piece of work run until it waits."""
        parked = Parked(self._ready)
        self.board.stepping.append(parked)
        self.park(parked)

    # -- a rank's life -----------------------------------------------------

    def serve(self) -> int:
        """Runs tasks until the broker ends the job; returns the exit code.

        Without a broker: until what was submitted has run as far as it can. In either case
        until a signal handler of the program has raised something (:attr:`ended_by`).
        """
        while self.exchange.shutdown is None:
            self._leaver = Parked(self._ready)
            self.park(self._leaver)
            if self._alone or self.ended_by is not None:
                return 0
        return self.exchange.shutdown.exit_code

    def await_shutdown(self) -> int:
        """Runs nothing more; returns the exit code when the broker has ended the job."""
        began = self.clock()
        while self.exchange.shutdown is None:
            self.look()
            self._idler.pause(self.clock() - began, None)
        return self.exchange.shutdown.exit_code

    def tell_broker(self, message: Message) -> None:
        """Sends the broker a message."""
        self.exchange.send([(BROKER, message)])

    def is_stopping(self) -> bool:
        """True when the broker has told this worker to stop."""
        return self.exchange.shutdown is not None

    def run_program(self, run: Callable[[], T]) -> T:
        """Calls ``run``, which is the user's program."""
        return run()

    def main_frame(self) -> FrameType | None:
        """Where the main greenlet waits, in which errors of others surface; None: it runs."""
        return self.board.main_frame()

    def close(self) -> None:
        """The job is over on this rank: nothing of the program is kept alive any more."""
        self.codec.forget_names()

    # -- the other thread, and forked children ------------------------------

    def donate(self) -> None:
        """Deals with other ranks while this one is inside user code.

        Called by the donor thread.
        """
        now = self.clock()
        chunk, tuning = self.running_chunk, self.tuning
        # Light items are left alone, unless one of them is not what they were taken for.
        unseen_s = tuning.unseen_work_s if self._idler.spin_s else tuning.unseen_work_crowded_s
        is_heavy = now - self._cadence.looked_at >= unseen_s
        leave_it = not is_heavy and chunk is not None and chunk.light
        self.exchange.exchange(
            now, DONATING if is_heavy else DONATING_HEAVY, gives=True,
            release=None if leave_it else self._release_rest,
        )
        self._countdown = 0  # a task takes long: tasks are not as short as they were

    def validate(self) -> None:
        """Checks the books: what must hold between two steps of this worker.

        Raises:
            AssertionError: it does not.
        """
        self.backlog.validate()
        self.ledger.validate()

    def hold_still(self) -> None:
        """Keeps the donor thread between two looks; see :meth:`Exchange.hold_still`."""
        self.exchange.hold_still()

    def go_on(self) -> None:
        """Undoes :meth:`hold_still`."""
        self.exchange.go_on()

    def drop_chunk(self) -> None:
        """In a forked child: what the running chunk has not reached is for the parent."""
        if self.running_chunk is not None:
            self.running_chunk.take_rest()


current = cast("Callable[[], Scheduler]", context.current)
"""The running scheduler; starts one without peers if there is none. See :mod:`context`."""


def _holds_nothing(func: Callable[..., Any]) -> bool:
    """True for functions that refer to nothing but their code and a module."""
    if type(func) is FunctionType:
        return func.__closure__ is None and func.__defaults__ is None
    return type(func) is BuiltinFunctionType and isinstance(func.__self__, ModuleType)
