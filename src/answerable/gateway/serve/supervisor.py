"""Supervisor of `serve`: binds sockets, and starts, restarts and stops workers.

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

from answerable.connectors.config.parse.config_faults import ConfigError, fault_lines
from answerable.gateway.serve.companion_process import Beside
from answerable.gateway.serve.control_channel import (
    Policy,
    Refused,
    Start,
    Taken,
    Tried,
)
from answerable.gateway.serve.health import Health
from answerable.gateway.serve.operator_socket import Operator
from answerable.gateway.serve.policy_trials import (
    attempt,
    first_refusal,
    lines,
    sentence,
    sum_of,
)
from answerable.gateway.serve.serve_plan import Plan
from answerable.gateway.serve.signed_statements import OwnersWord
from answerable.gateway.serve.status_listener import Api
from answerable.gateway.serve.worker_process import Child
from answerable.model.approval_request import Asked
from answerable.model.cedar_policy import NO_RULES, CedarRules, prefix_warnings
from answerable.model.config import Address
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.server.admission import AdmissionControl
from answerable.server.background_tasks import Tasks, ended
from answerable.server.evidence_shipping import ship_apart
from answerable.server.listening_sockets import (
    BACKLOG,
    Bound,
    bind,
    bind_address,
    hosts_of,
)
from answerable.server.operator_log import Log
from answerable.server.reloadable_plan import needs_restart
from answerable.server.revocation_list import KillList
from answerable.server.runtime import ENDING, LINK, serving_at
from answerable.server.state_lock import claim
from answerable.server.store_access import make_store
from answerable.server.systemd_notify import Notifier
from answerable.server.wire.host_check import Served

SHIP = 30.0  # seconds between two shippings
CONNECTIONS = 64  # of the pages of health and metrics
LOOK = 2.0  # seconds between two looks at how workers do


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
        plan: Plan,
        read: Callable[[CedarRules], Plan],
        log: Log,
        beside: Mapping[str, Sequence[str]],
        links: Callable[[list[tuple[str, str]]], None] = lambda _: None,
        notifier: Notifier | None = None,
    ) -> None:
        self._notifier = notifier or Notifier()
        self.listening: list[tuple[str, str]] = []
        self._plan, self._read, self._log, self._links = plan, read, log, links
        self._bound: list[Bound] = []
        workers = range(plan.config.listen.workers)
        self._children = [
            Child(number, self._start, log, self._wants) for number in workers
        ]
        self._beside = [
            Beside(name, argv, log, self._again) for name, argv in beside.items()
        ]
        self._owners = OwnersWord(plan.store, self._children, log)
        # Apart from the workers': a flood of calls leaves these pages alone.
        limits = replace(
            plan.config.limits,
            connections=CONNECTIONS,
            connections_per_address=CONNECTIONS,
        )
        self._admission = AdmissionControl(limits, log=log)
        self._health = Health(
            self._children,
            lacks_policy=not plan.policy.whole,
            beside=self._beside,
            owners=self._owners,
            admission=self._admission,
        )
        self._api: asyncio.Server | None = None
        self._operator: Operator | None = None
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks = Tasks()
        self._shipping: asyncio.Task[None] | None = None

    async def run(self, ready: Callable[["Supervisor"], None]) -> None:
        """Serve until a signal stops it.

        Args:
            ready: Called once every worker listens.

        Raises:
            EnvironmentRefused: Something cannot be used, or a worker does not start.
        """
        self._hear_signals()
        make_store(self._plan.store)
        with claim(self._plan.state, self._plan.store):
            # Without readable revocations the gateway does not start.
            KillList(self._plan.store, self._plan.state).read()
            try:
                self._owners.teller.use(
                    self._owners.teller.made(self._plan.config.asks)
                )
                await self._owners.refresh()
                await self._listen()
                ready(self)
                self._notifier.ready(self._status())
                self._tasks.spawn(self._notifier.keep_alive())
                self._tasks.spawn(self._ship_now_and_then())
                self._tasks.spawn(self._look_now_and_then())
                self._tasks.spawn(self._owners.keep_fresh())
                await self._told_to_end.wait()
            finally:
                await self._end()

    def _again(self, listening: list[tuple[str, str]]) -> None:
        self._links(new_links(listening))

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.of_loop)
        for number in ENDING:
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self._tasks.spawn(self._reload())
        )

    async def _listen(self) -> None:
        listen = self._plan.config.listen
        api = bind_address(listen.api, share=False)
        where = Address(listen.api.host, api.getsockname()[1])
        self.listening.append(("api", f"http://{where}"))
        for listener in listen.gateway:
            bound = bind(listener, len(self._children))
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
        served = Served(frozenset(hosts_of(where)))
        self._api = await asyncio.get_running_loop().create_server(
            partial(Api, self._health.pages(), served, self._admission),
            sock=api,
            backlog=BACKLOG,
        )
        try:
            self._operator = await Operator.at(self._plan.state, self._attempt)
        except EnvironmentRefused as error:
            # Calls continue without it; only `gateway try` fails.
            self._log.warning("operator.not-listening", why=error.message)
        shown = [at for what, at in self.listening if what != LINK]
        self._log.info("serve.ready", listening=shown)
        self._warn_of_prefixes()
        if not self._plan.policy.whole:
            config, faults = self._plan.config, self._plan.reading.faults
            self._log.error("policy.missing", faults=fault_lines(config.place, faults))

    def _start(self, worker: int) -> Start:
        return Start(
            worker=worker,
            workers=len(self._children),
            state=str(self._plan.state),
            store=str(self._plan.store),
            sockets=tuple(bound.of_worker(worker) for bound in self._bound),
            policy=self._plan.policy,
            amendments=self._owners.standing,
            baselines=self._owners.baselines,
            requests=self._owners.requests,
        )

    def _wants(self, asked: Asked) -> None:
        self._owners.teller.heard(asked)

    # A file that changed.

    async def _reload(self) -> None:
        """Apply the file as it is now; an invalid one leaves the last in force."""
        for each in self._beside:
            each.reload()
        async with self._reloading:
            self._notifier.reloading()
            try:
                plan = await asyncio.to_thread(self._read, self._plan.reading.policies)
                self._health.reload_refused = await self._take(plan)
            except ConfigError as error:
                self._log.error("config.refused", faults=error.lines)
                self._health.reload_refused = error.message
            except AnswerableError as error:
                self._log.error("config.refused", faults=[error.message])
                self._health.reload_refused = error.message
            finally:
                self._notifier.ready(self._status())

    def _status(self) -> str:
        refused = self._health.reload_refused
        return serving_at(self.listening, refused)

    async def _take(self, plan: Plan) -> str:
        """Apply a plan in every worker; return the reason where one refuses."""
        if not plan.policy.whole:
            raise ConfigError(plan.config.place, plan.reading.faults)
        webhook = self._owners.teller.made(plan.config.asks)
        before, self._plan = self._plan, self._plan.with_policy(plan)
        answers = await self._hand_out(plan.policy)
        refused = first_refusal(answers)
        if refused is not None:
            self._plan = before
            await self._hand_out(before.policy)
            self._log.error("config.refused", faults=[refused.why])
            return refused.why
        if before.config.asks != plan.config.asks:
            self._owners.teller.use(webhook)
        later = needs_restart(before, plan)
        if later:
            self._log.warning("config.needs-restart", keys=later)
        self._health.lacks_policy = False
        replayed = self._health.replayed = sum_of(answers)
        self._log.info(
            "config.taken",
            digest=plan.digest,
            replayed=sentence(replayed),
            turned=lines(replayed),
        )
        self._warn_of_prefixes()
        return ""

    def _warn_of_prefixes(self) -> None:
        warnings = prefix_warnings(self._plan.reading.policies)
        if warnings:
            self._log.warning("policy.prefix", policies=warnings)

    async def _hand_out(self, policy: Policy) -> list[Refused | Taken | None]:
        return [await child.take(policy) for child in self._children]

    async def _attempt(self, policy: Policy) -> Tried | Refused:
        async with self._reloading:
            return await attempt(self._children, policy)

    # Background tasks.

    async def _look_now_and_then(self) -> None:
        told: list[str] = []
        while True:
            await self._health.look()
            if self._health.alarms != told:
                told = self._health.alarms
                self._log.error("evidence.alarm", alarms=told)
            await asyncio.sleep(LOOK)

    async def _ship_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SHIP)
            # A shipping that has begun continues when this task is cancelled.
            self._shipping = asyncio.create_task(self._ship(behind=True))
            await asyncio.shield(self._shipping)

    async def _ship(self, *, behind: bool = False) -> None:
        plan = self._plan
        most = plan.config.limits.spool if behind else 0
        told = await ship_apart(plan.store, plan.state / "spool", most=most)
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

    async def _end(self) -> None:
        self._log.info("serve.ending")
        self._notifier.stopping()
        self._health.ending = True
        for bound in self._bound:
            bound.close()
        drain = self._plan.config.limits.drain
        await asyncio.gather(*(child.end(drain) for child in self._children))
        await asyncio.gather(*(each.end(drain) for each in self._beside))
        await self._tasks.cancel()
        await self._owners.close()
        if self._shipping is not None:  # two at once would refuse the last one
            await ended(self._shipping, drain)
        if (self._plan.state / "spool").is_dir():
            await self._ship()
        if self._api is not None:
            self._api.close()
        if self._operator is not None:
            self._operator.close()
        self._log.info("serve.ended")


def new_links(listening: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the sign-in link of a restarted page."""
    return [each for each in listening if each[0] == LINK]


def serve(
    read: Callable[[CedarRules], Plan],
    ready: Callable[[list[tuple[str, str]]], None],
    beside: Callable[[Plan], Mapping[str, Sequence[str]]] = lambda _: {},
) -> None:
    """Run a gateway until a signal stops it.

    Args:
        read: Reads the configuration, given the policies of the last reading.
        ready: Called with the endpoints once they are open, and with each sign-in link
            of a restarted page.
        beside: Returns the commands of companion processes by name.

    Raises:
        AnswerableError: The configuration cannot be read, or cannot be served.
    """
    notifier = Notifier.of_environment(os.environ)
    plan = read(NO_RULES)
    log = Log("supervisor")

    async def supervise() -> None:
        supervisor = Supervisor(plan, read, log, beside(plan), ready, notifier)
        await supervisor.run(lambda served: ready(served.listening))

    asyncio.run(supervise())
