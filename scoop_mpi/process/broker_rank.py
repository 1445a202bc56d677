"""Rank 0: the broker's state machine meets the network, until every worker has left.

Endpoint and ``machine`` are passed in, so that whole jobs run in simulations.
"""

from __future__ import annotations

from ..base.messages import BROKER
from ..broker.broker import Broker, BrokerState
from ..wire.endpoint import ProcessEndpoint
from .endings import LEAVE_S, LEFT_S, STOP_S, timed_out
from .machine import MACHINE, Machine


def run_broker(
    endpoint: ProcessEndpoint, timeout_s: float | None = None, machine: Machine = MACHINE
) -> int:
    """Runs rank 0 until every worker has left; returns the job's exit code.

    Args:
        timeout_s: seconds after which the job fails, wherever it is; None: no limit.
    """
    broker = Broker(endpoint.size, machine.tuning)
    silent_since = machine.clock()
    end_by = None if timeout_s is None else silent_since + timeout_s
    stop_by = left_by = None
    while broker.state is not BrokerState.STOPPED:
        arrived = endpoint.receive()
        now = machine.clock()
        if arrived is not None:
            silent_since = now
            for dest, message in broker.handle(*arrived):
                endpoint.send(dest, message)
            endpoint.progress()
        else:
            endpoint.progress()
            deadlines = [at - now for at in (end_by, stop_by, left_by) if at is not None]
            machine.pause(
                now - silent_since, min(deadlines, default=None),
                machine.tuning.broker_sleep_max_s, endpoint)
        if end_by is not None and now > end_by:
            end_by = None
            for dest, message in broker.handle(BROKER, timed_out(timeout_s)):
                endpoint.send(dest, message)
        if not broker.left:
            left_by = None
        elif left_by is None:
            left_by = now + LEFT_S
        elif now > left_by:
            for dest, message in broker.root_goes_on():
                endpoint.send(dest, message)
        if broker.state is BrokerState.STOPPING:
            if stop_by is None:
                stop_by = now + (LEAVE_S if broker.drained else STOP_S)
                machine.report(broker.report)
            elif now > stop_by:
                _abort(endpoint, broker, machine)
    _send_all(endpoint, machine)
    return broker.exit_code


def _send_all(endpoint: ProcessEndpoint, machine: Machine) -> None:
    began = machine.clock()
    while endpoint.transferring():
        endpoint.progress()
        machine.pause(machine.clock() - began, endpoint=endpoint)


def _abort(endpoint: ProcessEndpoint, broker: Broker, machine: Machine) -> None:
    """Some ranks do not leave, mostly because they are inside a task: take them down."""
    ranks = ", ".join(map(str, sorted(broker.present)))
    machine.report(
        f"scoop_mpi: rank(s) {ranks} did not stop after the end of the job; aborting")
    endpoint.abort(broker.exit_code or 1)
