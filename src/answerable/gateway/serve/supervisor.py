"""Supervise `run_gateway`: bind sockets; start, restart and stop workers.

No call passes through it. It owns the listening sockets, the last good reading of the
file, the shipping of evidence, and the status pages; workers that lose it finish their
open calls, and end.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence

from answerable.gateway.serve.companion_process import CompanionProcess
from answerable.gateway.serve.control_channel import (
    OrderRefused,
    PolicyApplied,
    PolicyTrialResult,
    StartWorker,
    WorkerPolicy,
)
from answerable.gateway.serve.enforcement_watch import EnforcementWatch
from answerable.gateway.serve.health import WorkerHealth, evidence_shipping_warnings
from answerable.gateway.serve.operator_socket import OperatorSocket
from answerable.gateway.serve.policy_trials import (
    describe_changed_decisions,
    first_worker_refusal,
    sum_replay_results,
    summarize_replay,
    try_policy_on_workers,
)
from answerable.gateway.serve.serve_plan import ServePlan
from answerable.gateway.serve.signed_statement_watcher import SignedStatementDistributor
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.approval_request import BlockedCall
from answerable.model.cedar_policy import list_text_prefix_warnings
from answerable.model.errors import EnvironmentFailure
from answerable.model.policy_replay import PolicyReplayResult
from answerable.server.admission import AdmissionControl
from answerable.server.enforcement.single_decision import read_revocations
from answerable.server.listening_sockets import (
    BoundListener,
    bind_listener,
    bind_status_listener,
)
from answerable.server.operator_log import LogField, OperatorLog
from answerable.server.runtime import (
    SIGN_IN_LINK,
    SIGN_IN_LINK_FILE,
    ServerRuntime,
)
from answerable.server.server_process import App, Endpoints
from answerable.server.systemd_notify import SystemdNotifier

HEALTH_INTERVAL = 2.0  # seconds between two looks at how workers do


class Supervisor(App[ServePlan]):
    """Application of a gateway's supervisor process.

    Args:
        companions: Commands of companion processes by name, in the order of their
            start.
        links: Called with the sign-in link of a restarted page.
    """

    def __init__(
        self,
        plan: ServePlan,
        log: OperatorLog,
        companions: Mapping[str, Sequence[str]],
        links: Callable[[Endpoints], None],
    ) -> None:
        super().__init__(plan, log)
        self._links = links
        self._bound: list[BoundListener] = []
        self._children = [
            WorkerProcess(number, self._build_start_message, log, self._notify_owner)
            for number in range(plan.config.listen.workers)
        ]
        self._beside = [
            CompanionProcess(name, argv, log, self._report_sign_in_link)
            for name, argv in companions.items()
        ]
        self._owners = SignedStatementDistributor(plan.store, self._children, log)
        self._health = WorkerHealth(
            self._children, self._beside, lacks_policy=not plan.policy.whole
        )
        self._modes = EnforcementWatch(plan.store, log)
        self._operator: OperatorSocket | None = None
        self._replayed = PolicyReplayResult()
        self._changing = asyncio.Lock()  # a reload, or the trial of a policy

    async def start(self) -> None:
        """Open sockets, companions, workers and status pages.

        Raises:
            AnswerableError: Something cannot be used, or a worker does not start.
        """
        # Without readable revocations the gateway does not start.
        read_revocations(self.plan.store, self.plan.state)
        try:
            self._owners.notifier.set_webhook(
                self._owners.notifier.build_webhook(self.plan.config.asks)
            )
            await self._owners.watch.refresh()
            await self._open_listeners()
        except BaseException:
            self.drain()
            await self.wait_for_open_requests(self.plan.config.limits.drain)
            await self.close()
            self.close_listeners()
            raise
        await self._compare_modes()
        self._tasks.spawn(self._watch_health())
        self._tasks.spawn(self._owners.watch.poll_forever())

    def _build_connection_quotas(self) -> AdmissionControl:
        """Build the quotas of the status pages; the workers have their own.

        A flood of calls leaves these pages alone.
        """
        return self._build_status_page_quotas()

    def _report_sign_in_link(self, listening: Endpoints) -> None:
        """Report the sign-in link of a web page that has been restarted."""
        self._links(find_sign_in_links(listening))

    async def _open_listeners(self) -> None:
        """Bind all sockets, start companions and workers, serve the status pages."""
        listen = self.plan.config.listen
        api = bind_status_listener(listen.api)
        listening = [("api", api.url)]
        for listener in listen.gateway:
            bound = bind_listener(listener, len(self._children))
            self._bound.append(bound)
            listening.append(("gateway", bound.url or f"unix:{listener.unix}"))
        for each in self._beside:
            # First: workers fetch the keys of the token service.
            await each.open()
            listening += each.listening
        together = [each.name for each in self._beside]
        if "sts" in together:
            # Signing key and gateway on one machine and one user: for evaluation only.
            self._log.warning("serve.for-evaluation", together=[*together, "gateway"])
        await asyncio.gather(*(child.open() for child in self._children))
        await self._open_status_listener("api", api, self._admission)
        self.listening = listening
        try:
            self._operator = await OperatorSocket.listen(
                self.plan.state, self._try_policy
            )
        except EnvironmentFailure as error:
            # Calls continue without it; only `gateway try` fails.
            self._log.warning("operator.not-listening", why=error.message)
        self._warn_of_prefix_patterns()

    def _build_start_message(self, worker: int) -> StartWorker:
        """Build the first message to a worker: policy, sockets, statements."""
        return StartWorker(
            worker=worker,
            workers=len(self._children),
            state=str(self.plan.state),
            store=str(self.plan.store),
            sockets=tuple(bound.socket_for_worker(worker) for bound in self._bound),
            policy=self.plan.policy,
            statements=self._owners.encode(),
        )

    def _notify_owner(self, blocked_call: BlockedCall) -> None:
        """Notify an owner of a denied call, for a worker."""
        self._owners.notifier.notify(blocked_call)

    # A file that changed.

    def forward_reload(self) -> None:
        """Let the companion processes read the file, too."""
        for each in self._beside:
            each.reload()

    async def reload(self, plan: ServePlan) -> Mapping[str, LogField]:
        """Apply a plan in every worker; where one refuses, the last stays in force."""
        async with self._changing:
            webhook = self._owners.notifier.build_webhook(plan.config.asks)
            before, self.plan = self.plan, self.plan.with_reloadable_settings(plan)
            answers = await self._apply_policy_in_workers(plan.policy)
            refused = first_worker_refusal(answers)
            if refused is not None:
                self.plan = before
                await self._apply_policy_in_workers(before.policy)
                raise EnvironmentFailure(refused.why, refused.hint)
            if before.config.asks != plan.config.asks:
                self._owners.notifier.set_webhook(webhook)
            self._health.lacks_policy = False
            self._replayed = replayed = sum_replay_results(answers)
        await self._compare_modes()
        self._warn_of_prefix_patterns()
        return {
            "digest": plan.digest,
            "replayed": summarize_replay(replayed),
            "turned": describe_changed_decisions(replayed),
        }

    async def _compare_modes(self) -> None:
        """Record the modes in force; log an agent that is no longer enforced."""
        if self.plan.has_valid_policy:
            await self._modes.compare(self.plan.config)

    def _warn_of_prefix_patterns(self) -> None:
        """Log policies that compare a path with a prefix pattern."""
        warnings = list_text_prefix_warnings(self.plan.reading.policies)
        if warnings:
            self._log.warning("policy.prefix", policies=warnings)

    async def _apply_policy_in_workers(
        self, policy: WorkerPolicy
    ) -> list[OrderRefused | PolicyApplied | None]:
        """Send a new policy to every worker process; return their answers."""
        return [await child.apply_policy(policy) for child in self._children]

    async def _try_policy(
        self, policy: WorkerPolicy
    ) -> PolicyTrialResult | OrderRefused:
        """Evaluate another policy in every worker, for the operator."""
        async with self._changing:
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
            if self._modes.has_failed:
                await self._compare_modes()
            await asyncio.sleep(HEALTH_INTERVAL)

    # Health and metrics.

    async def refresh_health(self) -> None:
        """Collect the metrics of every worker."""
        await self._health.poll_workers()

    def not_ready_reasons(self) -> list[str]:
        """List the reasons that the gateway is not ready; empty where it is."""
        ending = ["it is shutting down"] if self.is_ending else []
        return ending + self._health.not_ready_reasons()

    def readiness_details(self) -> Mapping[str, object]:
        """Return warnings, refusals, and the replay result of the policy in force."""
        refused = self._health.connection_warnings() or self._admission.warnings
        return {
            "warnings": [
                *refused,
                *self._modes.warnings,
                *evidence_shipping_warnings(self._shipping_lag, self.ship_refused),
            ],
            **super().readiness_details(),
            # Without agents and rules: an agent on this host may read this page, too.
            "replayed": {
                "calls": self._replayed.calls,
                "would_have_denied": self._replayed.held_back,
                "would_have_passed": self._replayed.let_through,
            },
        }

    def render_metrics(self) -> bytes:
        """Render the sums of all workers, and the supervisor's own metrics."""
        sent = self._owners.notifier.sent_counts
        return self._health.render_metrics(
            {
                "answerable_shipped": self.shipped,
                "answerable_config_last_reload_successful": not self.reload_refused,
                "answerable_ship_last_successful": not self.ship_refused,
                "answerable_ship_lag_seconds": self._shipping_lag,
                "answerable_amendments": len(self._owners.exceptions),
                "answerable_break_glass": self._owners.break_glass_count,
                "answerable_approval_requests_delivered": sent["sent"],
                "answerable_approval_requests_dropped": sent["dropped"],
            }
        )

    @property
    def _shipping_lag(self) -> float:
        """Seconds since the last complete shipping of evidence."""
        return time.monotonic() - self.shipped_at

    # The end.

    def drain(self) -> None:
        """Refuse new connections; health and metrics are served to the end."""
        self.is_ending = True
        for bound in self._bound:
            bound.close()

    async def wait_for_open_requests(self, seconds: float) -> None:
        """Drain and stop the workers, then the companions."""
        await asyncio.gather(*(child.stop(seconds) for child in self._children))
        await asyncio.gather(*(each.stop(seconds) for each in self._beside))

    async def close(self) -> None:
        """Stop watching statements, and close the operator's socket."""
        await super().close()
        await self._owners.close()
        if self._operator is not None:
            self._operator.close()


def find_sign_in_links(listening: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Select the sign-in link among the addresses a restarted server listens at."""
    names = (SIGN_IN_LINK, SIGN_IN_LINK_FILE)
    return [each for each in listening if each[0] in names]


def run_gateway(
    load_plan: Callable[[], ServePlan],
    on_ready: Callable[[Endpoints], None],
    companions: Callable[[ServePlan], Mapping[str, Sequence[str]]] = lambda _: {},
) -> None:
    """Run a gateway until a signal stops it.

    Args:
        load_plan: Reads the configuration.
        on_ready: Called with the endpoints once they are open, and with each sign-in
            link of a restarted page.
        companions: Returns the commands of companion processes by name.

    Raises:
        AnswerableError: The configuration cannot be read, or cannot be served.
    """

    async def open_app(plan: ServePlan, log: OperatorLog) -> Supervisor:
        app = Supervisor(plan, log, companions(plan), on_ready)
        await app.start()
        return app

    notifier = SystemdNotifier.from_environment(os.environ)
    process = ServerRuntime("serve", load_plan, open_app, notifier, "supervisor")
    asyncio.run(process.run(on_ready, alone=True))
