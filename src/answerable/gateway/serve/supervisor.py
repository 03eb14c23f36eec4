"""Supervise `serve`: bind sockets; start, restart and stop workers.

No call passes through it. It owns the listening sockets, the last good reading of the
file, the shipping of evidence, and the status pages; workers that lose it finish their
open calls, and end.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from answerable.connectors.config.parse.config_faults import ConfigError, format_faults
from answerable.gateway.serve.companion_process import CompanionProcess
from answerable.gateway.serve.control_channel import (
    OrderRefused,
    PolicyApplied,
    PolicyTrialResult,
    StartWorker,
    WorkerPolicy,
)
from answerable.gateway.serve.health import GatewayHealth
from answerable.gateway.serve.operator_socket import OperatorSocket
from answerable.gateway.serve.policy_trials import (
    describe_changes,
    first_refusal,
    sum_replay_results,
    summarize_replay,
    try_policy_on_workers,
)
from answerable.gateway.serve.serve_plan import ServePlan
from answerable.gateway.serve.signed_statements import SignedStatementDistributor
from answerable.gateway.serve.status_listener import StatusConnection
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.approval_request import BlockedCall
from answerable.model.cedar_policy import (
    NO_CEDAR_POLICIES,
    CedarPolicySet,
    find_prefix_warnings,
)
from answerable.model.config import ListenAddress
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.admission import AdmissionControl
from answerable.server.background_tasks import BackgroundTasks, wait_or_cancel
from answerable.server.evidence_shipping import ship_in_subprocess
from answerable.server.listening_sockets import (
    BACKLOG,
    BoundListener,
    bind_address,
    bind_listener,
    default_hosts,
)
from answerable.server.operator_log import OperatorLog
from answerable.server.reloadable_settings import needs_restart
from answerable.server.revocation_list import RevocationList
from answerable.server.runtime import SIGN_IN_LINK, STOP_SIGNALS, format_status
from answerable.server.state_lock import lock_state
from answerable.server.store_access import create_store
from answerable.server.systemd_notify import SystemdNotifier
from answerable.server.wire.host_check import ServedNames

SHIP_INTERVAL = 30.0  # seconds between two shippings
STATUS_CONNECTIONS = 64  # of the pages of health and metrics
HEALTH_INTERVAL = 2.0  # seconds between two looks at how workers do


class Supervisor:
    """Process supervisor of one gateway.

    Args:
        read: Reads the configuration again, given the policies of the last reading.
        log: Log of the supervisor.
        beside: Commands of companion processes by name, in the order of their start.

    Attributes:
        listening: Endpoints: pairs (what, where).
    """

    def __init__(
        self,
        plan: ServePlan,
        read: Callable[[CedarPolicySet], ServePlan],
        log: OperatorLog,
        beside: Mapping[str, Sequence[str]],
        links: Callable[[list[tuple[str, str]]], None] = lambda _: None,
        notifier: SystemdNotifier | None = None,
    ) -> None:
        self._notifier = notifier or SystemdNotifier()
        self.listening: list[tuple[str, str]] = []
        self._plan, self._read, self._log, self._links = plan, read, log, links
        self._bound: list[BoundListener] = []
        workers = range(plan.config.listen.workers)
        self._children = [
            WorkerProcess(number, self._build_start_message, log, self._notify_owner)
            for number in workers
        ]
        self._beside = [
            CompanionProcess(name, argv, log, self._report_sign_in_link)
            for name, argv in beside.items()
        ]
        self._owners = SignedStatementDistributor(plan.store, self._children, log)
        # Apart from the workers': a flood of calls leaves these pages alone.
        limits = replace(
            plan.config.limits,
            connections=STATUS_CONNECTIONS,
            connections_per_address=STATUS_CONNECTIONS,
        )
        self._admission = AdmissionControl(limits, log=log)
        self._health = GatewayHealth(
            self._children,
            lacks_policy=not plan.policy.whole,
            companions=self._beside,
            statements=self._owners,
            admission=self._admission,
        )
        self._api: asyncio.Server | None = None
        self._operator: OperatorSocket | None = None
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks = BackgroundTasks()
        self._shipping: asyncio.Task[None] | None = None

    async def run(self, on_ready: Callable[["Supervisor"], None]) -> None:
        """Serve until a signal stops it.

        Args:
            on_ready: Called once every worker listens.

        Raises:
            EnvironmentFailure: Something cannot be used, or a worker does not start.
        """
        self._install_signal_handlers()
        create_store(self._plan.store)
        with lock_state(self._plan.state, self._plan.store):
            # Without readable revocations the gateway does not start.
            RevocationList(self._plan.store, self._plan.state).read()
            try:
                self._owners.teller.set_webhook(
                    self._owners.teller.build_webhook(self._plan.config.asks)
                )
                await self._owners.refresh()
                await self._open_listeners()
                on_ready(self)
                self._notifier.ready(self._status_line())
                self._tasks.spawn(self._notifier.keep_alive())
                self._tasks.spawn(self._ship_periodically())
                self._tasks.spawn(self._watch_health())
                self._tasks.spawn(self._owners.keep_fresh())
                await self._told_to_end.wait()
            finally:
                await self._shut_down()

    def _report_sign_in_link(self, listening: list[tuple[str, str]]) -> None:
        """Report the sign-in link of a restarted page."""
        self._links(find_sign_in_links(listening))

    def _install_signal_handlers(self) -> None:
        """Stop on SIGTERM or SIGINT, reload on SIGHUP."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.log_loop_error)
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self._tasks.spawn(self._reload_config())
        )

    async def _open_listeners(self) -> None:
        """Bind all sockets, start companions and workers, serve the status pages."""
        listen = self._plan.config.listen
        api = bind_address(listen.api, is_shared=False)
        where = ListenAddress(listen.api.host, api.getsockname()[1])
        self.listening.append(("api", f"http://{where}"))
        for listener in listen.gateway:
            bound = bind_listener(listener, len(self._children))
            self._bound.append(bound)
            self.listening.append(("gateway", bound.url or f"unix:{listener.unix}"))
        for each in self._beside:
            # First: workers fetch the keys of the token service.
            await each.open()
            self.listening += each.listening
        together = [each.name for each in self._beside]
        if "sts" in together:
            # Signing key and gateway on one machine and one user: for evaluation only.
            self._log.warning("serve.for-evaluation", together=[*together, "gateway"])
        await asyncio.gather(*(child.open() for child in self._children))
        served = ServedNames(frozenset(default_hosts(where)))
        self._api = await asyncio.get_running_loop().create_server(
            partial(
                StatusConnection, self._health.status_pages(), served, self._admission
            ),
            sock=api,
            backlog=BACKLOG,
        )
        try:
            self._operator = await OperatorSocket.listen(
                self._plan.state, self._try_policy
            )
        except EnvironmentFailure as error:
            # Calls continue without it; only `gateway try` fails.
            self._log.warning("operator.not-listening", why=error.message)
        shown = [at for what, at in self.listening if what != SIGN_IN_LINK]
        self._log.info("serve.ready", listening=shown)
        self._warn_of_prefix_patterns()
        if not self._plan.policy.whole:
            config, faults = self._plan.config, self._plan.reading.faults
            self._log.error(
                "policy.missing", faults=format_faults(config.place, faults)
            )

    def _build_start_message(self, worker: int) -> StartWorker:
        """Build the first message to a worker: policy, sockets, statements."""
        return StartWorker(
            worker=worker,
            workers=len(self._children),
            state=str(self._plan.state),
            store=str(self._plan.store),
            sockets=tuple(bound.socket_for_worker(worker) for bound in self._bound),
            policy=self._plan.policy,
            amendments=self._owners.standing,
            baselines=self._owners.baselines,
            requests=self._owners.requests,
        )

    def _notify_owner(self, blocked_call: BlockedCall) -> None:
        """Notify an owner of a denied call, for a worker."""
        self._owners.teller.notify(blocked_call)

    # A file that changed.

    async def _reload_config(self) -> None:
        """Apply the file as it is now; an invalid one leaves the last in force."""
        for each in self._beside:
            each.reload()
        async with self._reloading:
            self._notifier.reloading()
            try:
                plan = await asyncio.to_thread(self._read, self._plan.reading.policies)
                self._health.reload_refused = await self._apply_plan(plan)
            except ConfigError as error:
                self._log.error("config.refused", faults=error.lines)
                self._health.reload_refused = error.message
            except AnswerableError as error:
                self._log.error("config.refused", faults=[error.message])
                self._health.reload_refused = error.message
            finally:
                self._notifier.ready(self._status_line())

    def _status_line(self) -> str:
        """Return the status text for systemd."""
        refused = self._health.reload_refused
        return format_status(self.listening, refused)

    async def _apply_plan(self, plan: ServePlan) -> str:
        """Apply a plan in every worker; return the reason where one refuses."""
        if not plan.policy.whole:
            raise ConfigError(plan.config.place, plan.reading.faults)
        webhook = self._owners.teller.build_webhook(plan.config.asks)
        before, self._plan = self._plan, self._plan.with_policy(plan)
        answers = await self._apply_policy_in_workers(plan.policy)
        refused = first_refusal(answers)
        if refused is not None:
            self._plan = before
            await self._apply_policy_in_workers(before.policy)
            self._log.error("config.refused", faults=[refused.why])
            return refused.why
        if before.config.asks != plan.config.asks:
            self._owners.teller.set_webhook(webhook)
        later = needs_restart(before, plan)
        if later:
            self._log.warning("config.needs-restart", keys=later)
        self._health.lacks_policy = False
        replayed = self._health.replayed = sum_replay_results(answers)
        self._log.info(
            "config.taken",
            digest=plan.digest,
            replayed=summarize_replay(replayed),
            turned=describe_changes(replayed),
        )
        self._warn_of_prefix_patterns()
        return ""

    def _warn_of_prefix_patterns(self) -> None:
        """Log policies that compare a path with a prefix pattern."""
        warnings = find_prefix_warnings(self._plan.reading.policies)
        if warnings:
            self._log.warning("policy.prefix", policies=warnings)

    async def _apply_policy_in_workers(
        self, policy: WorkerPolicy
    ) -> list[OrderRefused | PolicyApplied | None]:
        """Send a policy to every worker; return their answers."""
        return [await child.apply_policy(policy) for child in self._children]

    async def _try_policy(
        self, policy: WorkerPolicy
    ) -> PolicyTrialResult | OrderRefused:
        """Evaluate another policy in every worker, for the operator."""
        async with self._reloading:
            return await try_policy_on_workers(self._children, policy)

    # Background tasks.

    async def _watch_health(self) -> None:
        """Poll the workers periodically; log new alarms."""
        told: list[str] = []
        while True:
            await self._health.poll_workers()
            if self._health.alarms != told:
                told = self._health.alarms
                self._log.error("evidence.alarm", alarms=told)
            await asyncio.sleep(HEALTH_INTERVAL)

    async def _ship_periodically(self) -> None:
        """Ship the spool to the store periodically."""
        while True:
            await asyncio.sleep(SHIP_INTERVAL)
            # A shipping that has begun continues when this task is cancelled.
            self._shipping = asyncio.create_task(self._ship_spool(in_background=True))
            await asyncio.shield(self._shipping)

    async def _ship_spool(self, *, in_background: bool = False) -> None:
        """Ship the spool to the store; note failures for the health page."""
        plan = self._plan
        most = plan.config.limits.spool if in_background else 0
        told = await ship_in_subprocess(
            plan.store, plan.state / "spool", max_spool_bytes=most
        )
        if told.refused:
            if self._health.ship_refused != told.refused:
                self._log.error("evidence.not-shipped", why=told.refused)
            self._health.ship_refused = told.refused
            return
        self._health.ship_refused = ""
        self._health.shipped_at = time.monotonic()
        self._health.shipped += told.stored
        for place, what in told.problems:
            self._log.error("evidence.problem", place=place, what=what)

    # The end.

    async def _shut_down(self) -> None:
        """Drain and stop workers and companions, ship the rest, close sockets."""
        self._log.info("serve.ending")
        self._notifier.stopping()
        self._health.ending = True
        for bound in self._bound:
            bound.close()
        drain = self._plan.config.limits.drain
        await asyncio.gather(*(child.stop(drain) for child in self._children))
        await asyncio.gather(*(each.stop(drain) for each in self._beside))
        await self._tasks.cancel()
        await self._owners.close()
        if self._shipping is not None:  # two at once would refuse the last one
            await wait_or_cancel(self._shipping, drain)
        if (self._plan.state / "spool").is_dir():
            await self._ship_spool()
        if self._api is not None:
            self._api.close()
        if self._operator is not None:
            self._operator.close()
        self._log.info("serve.ended")


def find_sign_in_links(listening: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the sign-in link of a restarted page."""
    return [each for each in listening if each[0] == SIGN_IN_LINK]


def serve(
    read_plan: Callable[[CedarPolicySet], ServePlan],
    on_ready: Callable[[list[tuple[str, str]]], None],
    companions: Callable[[ServePlan], Mapping[str, Sequence[str]]] = lambda _: {},
) -> None:
    """Run a gateway until a signal stops it.

    Args:
        read_plan: Reads the configuration, given the policies of the last reading.
        on_ready: Called with the endpoints once they are open, and with each sign-in
            link of a restarted page.
        companions: Returns the commands of companion processes by name.

    Raises:
        AnswerableError: The configuration cannot be read, or cannot be served.
    """
    notifier = SystemdNotifier.from_environment(os.environ)
    plan = read_plan(NO_CEDAR_POLICIES)
    log = OperatorLog("supervisor")

    async def supervise() -> None:
        supervisor = Supervisor(
            plan, read_plan, log, companions(plan), on_ready, notifier
        )
        await supervisor.run(lambda served: on_ready(served.listening))

    asyncio.run(supervise())
