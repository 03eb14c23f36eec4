"""Worker process: an event loop, a policy, and a recorder of its own.

    python -m answerable.gateway.serve.worker HANDLE

HANDLE is the inherited socket to the supervisor, which sends everything else.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import time

from answerable.gateway.serve.control_channel import (
    Amended,
    Asking,
    Baselined,
    Channel,
    Drain,
    Measure,
    Measured,
    Policy,
    Ready,
    Refused,
    Start,
    Taken,
    Tried,
    Try,
)
from answerable.gateway.serve.worker_app import House
from answerable.model.errors import AnswerableError
from answerable.server.operator_log import Log

LOOK = 0.1  # seconds between two looks at what is still under way


async def run(handle: int) -> int:
    """Serve until the supervisor orders a drain, or is gone."""
    channel = await Channel.over(socket.socket(fileno=handle))
    orders = channel.orders()
    start = await anext(orders, None)
    if not isinstance(start, Start):
        return 1
    log = Log(f"worker-{start.worker}")
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log.of_loop)
    try:
        house = await House.open(start, log, channel.say)
    except AnswerableError as error:
        channel.say(Refused(error.message, error.hint))
        return 1
    for each in start.sockets:
        os.close(
            each.handle
        )  # the worker has duplicated it; this one would still listen
    del start  # a large policy is kept once, compiled
    _settle()
    channel.say(Ready())
    log.info("worker.ready")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, ended.set)
    listening = asyncio.create_task(_obey(channel, house))
    stopping = asyncio.create_task(ended.wait())
    await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await _drain(house, log)
    return 0


def _settle() -> None:
    """Freeze the objects of the start: garbage collection scans only later ones.

    They live as long as the process, and a call leaves no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _obey(channel: Channel, house: House) -> None:
    async for order in channel.orders():
        match order:
            case Measure():
                channel.say(Measured(tuple(house.series()), house.alarm))
            case Amended():
                house.amend(order.standing)
            case Baselined():
                house.hold_to(order.standing)
            case Asking():
                house.asked(order.standing)
            case Policy() | Try():
                channel.say(await _answered(house, order))
            case Drain() | Start():
                return


async def _answered(house: House, order: Policy | Try) -> Taken | Tried | Refused:
    try:
        if isinstance(order, Policy):
            return Taken(*await house.swap(order))
        return Tried(*await house.attempt(order.policy))
    except AnswerableError as error:
        return Refused(error.message, error.hint)


async def _drain(house: House, log: Log) -> None:
    """Wait for open calls up to a limit; then cut them, and write the rest."""
    until = time.monotonic() + house.drains_for
    house.drain()
    # No event signals that the last connection has closed.
    while house.is_busy and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(LOOK)
    cut = await house.close()
    log.info("worker.ended", cut=cut)


def main() -> int:
    """Run one worker, as the supervisor starts it."""
    import uvloop

    # The terminal's signals are for the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return uvloop.run(run(int(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
