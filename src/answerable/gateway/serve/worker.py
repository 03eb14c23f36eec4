"""Run one worker process: an event loop that serves calls, and obeys the supervisor.

    python -m answerable.gateway.serve.worker HANDLE

HANDLE is the inherited socket to the supervisor, which sends everything else.
"""

import asyncio
import os
import signal
import socket
import sys
import time

from answerable.gateway.serve.control_channel import (
    CollectMetrics,
    ControlChannel,
    DrainWorker,
    OrderRefused,
    PolicyApplied,
    PolicyTrialResult,
    StartWorker,
    StatementsChanged,
    TryPolicy,
    WorkerMetrics,
    WorkerPolicy,
    WorkerReady,
)
from answerable.gateway.serve.worker_app import WorkerApp
from answerable.model.errors import AnswerableError
from answerable.server.garbage_collection import freeze_startup_objects
from answerable.server.operator_log import OperatorLog
from answerable.server.resident_memory import give_large_blocks_own_mappings

POLL_INTERVAL = 0.1  # seconds between two looks at what is still under way


async def run_worker(socket_fd: int) -> int:
    """Serve until the supervisor orders a drain, or is gone."""
    channel = await ControlChannel.connect(socket.socket(fileno=socket_fd))
    orders = channel.receive_orders()
    start = await anext(orders, None)
    if not isinstance(start, StartWorker):
        return 1
    log = OperatorLog(f"worker-{start.worker}")
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log.log_loop_error)
    try:
        house = await WorkerApp.open(start, log, channel.send)
    except AnswerableError as error:
        channel.send(OrderRefused(error.message, error.hint))
        return 1
    for each in start.sockets:
        os.close(
            each.handle
        )  # the worker has duplicated it; this one would still listen
    del start  # a large policy is kept once, compiled
    freeze_startup_objects()
    give_large_blocks_own_mappings()
    channel.send(WorkerReady())
    log.info("worker.ready")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, ended.set)
    listening = asyncio.create_task(_handle_orders(channel, house))
    stopping = asyncio.create_task(ended.wait())
    await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await _drain_and_close(house, log)
    return 0


async def _handle_orders(channel: ControlChannel, app: WorkerApp) -> None:
    """Execute the supervisor's orders until it orders a drain."""
    async for order in channel.receive_orders():
        match order:
            case CollectMetrics():
                channel.send(
                    WorkerMetrics(
                        tuple(app.iterate_metric_series()), app.recorder.disk_error
                    )
                )
            case StatementsChanged():
                app.apply_statements(order.statements)
            case WorkerPolicy() | TryPolicy():
                channel.send(await _answer_policy_order(app, order))
            case DrainWorker() | StartWorker():
                return


async def _answer_policy_order(
    app: WorkerApp, order: WorkerPolicy | TryPolicy
) -> PolicyApplied | PolicyTrialResult | OrderRefused:
    """Apply or try a policy; return the report, or the refusal."""
    try:
        if isinstance(order, WorkerPolicy):
            return PolicyApplied(*await app.reload(order))
        return PolicyTrialResult(*await app.try_policy(order.policy))
    except AnswerableError as error:
        return OrderRefused(error.message, error.hint)


async def _drain_and_close(app: WorkerApp, log: OperatorLog) -> None:
    """Wait for open calls up to a limit; then cut them, and write the rest."""
    until = time.monotonic() + app.http_server.limits.drain
    app.drain()
    # No event signals that the last connection has closed.
    while app.is_busy and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(POLL_INTERVAL)
    cut = await app.close()
    log.info("worker.ended", cut=cut)


def main() -> int:
    """Run one worker, as the supervisor starts it."""
    import uvloop

    # The terminal's signals are for the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return uvloop.run(run_worker(int(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
