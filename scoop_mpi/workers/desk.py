"""What the verbs ask of a worker, on whichever thread they are called.

On the thread that runs tasks a wait puts a greenlet aside (``scheduler``); on all others it
blocks the thread (``visitor``). What does not depend on that is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..base.messages import BROKER, Constant, Define, Message
from ..base.tuning import Tuning
from ..tasks.estimates import Estimates
from ..tasks.future import Future
from ..tasks.mapcall import MapCall
from .constants import Constants
from .enquiries import Answer, Question
from .exchange import Exchange


class Wait(Protocol):
    """Who waits, or is about to."""

    def wake(self) -> None:
        """Ends the wait. Any thread may call this, as often as it likes."""

    def notify(self, future: Future[Any], /) -> None:
        """A future it waits for is done (:class:`scoop_mpi.tasks.future.Waiter`)."""


class Desk:
    """One thread's way to its worker; ``exchange``, ``clock``, ``tuning`` are the worker's."""

    __slots__ = ()

    rank: int
    exchange: Exchange
    clock: Callable[[], float]
    tuning: Tuning

    # -- what depends on the thread ----------------------------------------

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Future[Any]:
        """Creates a task; it may start here or elsewhere from now on."""
        raise NotImplementedError

    def open_map(
        self, func: Callable[..., Any], inputs: Iterable[Any], starred: bool,
        chunksize: int | None, buffersize: int | None,
    ) -> MapCall:
        """Creates a map call; its items may start here or elsewhere from now on."""
        raise NotImplementedError

    def guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as tasks should call it (:mod:`scoop_mpi.observe.strict`)."""
        raise NotImplementedError

    def wait_for(self, future: Future[Any], timeout: float | None) -> None:
        """Returns when ``future`` is done.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        raise NotImplementedError

    def parked(self) -> Wait:
        """A handle on who calls this, for :meth:`park`."""
        raise NotImplementedError

    def park(self, parked: Any, deadline: float | None = None) -> None:
        """Returns when ``parked`` is woken, or ``deadline`` has passed.

        Raises:
            BaseException: what a signal handler has raised for who waits.
        """
        raise NotImplementedError

    def check_own(self, number: int) -> None:
        """Is the task or map of that number this process's?

        Raises:
            ForkError: that of a forked child's parent.
        """

    def poll(self) -> None:
        """Called by who asks again and again whether something is done."""
        raise NotImplementedError

    def look(self) -> None:
        """Called by who has waited long enough: takes in what has come."""
        raise NotImplementedError

    # -- what does not -----------------------------------------------------

    @property
    def constants(self) -> Constants:
        """The shared constants that this worker knows."""
        return self.exchange.constants

    @property
    def estimates(self) -> Estimates:
        """How long calls take here."""
        return self.exchange.ledger.estimates

    def claim(self, future: Future[Any]) -> bool:
        """Takes an unstarted task out of the backlog; False if it is too late."""
        return self.exchange.backlog.claim(future)

    def typical_time(self, func: Callable[..., Any]) -> float:
        """Seconds that calls of ``func`` take by the newest measurements; 0.0: none."""
        return self.estimates.get(func)

    def story_of(self, future: Future[Any]) -> str:
        """Where an own task is and how it came there, in one line."""
        return self.exchange.story.of_task(future, self.clock())

    def story_of_item(self, call: MapCall, index: int) -> str:
        """The same of an item of an own map."""
        return self.exchange.story.of_item(call.id, index, self.clock())

    def wait_for_map(
        self, call: MapCall, deadline: float | None, is_there: Callable[[], bool]
    ) -> None:
        """Returns when further results of ``call`` have come, or at ``deadline``."""
        self.check_own(call.id)
        parked = self.parked()
        call.on_arrival = parked.wake
        try:
            if not is_there():  # another thread may just have delivered
                self.park(parked, deadline)
        finally:
            call.on_arrival = None

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
        parked = self.parked()
        enquiries = self.exchange.enquiries
        question = enquiries.ask(make, parked.wake)
        if isinstance(question, Define):
            self.constants.define(question.ticket, question.constants)
        self.tell_broker(question)
        try:
            self.park(parked)
        except BaseException:
            enquiries.ignore(question.ticket)
            raise
        return enquiries.take(question.ticket)

    def tell_broker(self, message: Message) -> None:
        """Sends the broker a message."""
        self.exchange.send([(BROKER, message)])

    def is_stopping(self) -> bool:
        """True when the broker has told this worker to stop."""
        return self.exchange.shutdown is not None
