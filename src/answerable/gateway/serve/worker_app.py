"""Parts of one worker: assembled from a configuration, and replaced at a reload."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

from answerable.authorization.decision_table import Table
from answerable.authorization.revocations import Kills, killed_keys
from answerable.gateway.approval_requests import HeldBack
from answerable.gateway.baseline_enforcement import Behaviour, standards
from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.definition_watcher import Definitions
from answerable.gateway.http.client_connection import Front
from answerable.gateway.http.peer_workers import Arrival, Peers, socket_of
from answerable.gateway.http.server import Door
from answerable.gateway.person_requests import Requests
from answerable.gateway.replay_buffer import Recent
from answerable.gateway.serve.background_replay import decide_anew
from answerable.gateway.serve.call_metrics import Counting
from answerable.gateway.serve.control_channel import Policy, Series, Start, Wants
from answerable.gateway.serve.span_exporter import Spans
from answerable.gateway.serve.worker_config import (
    agent_ids,
    build_upstreams,
    compile_table,
    parse_worker_config,
)
from answerable.gateway.session_ids import Sessions
from answerable.gateway.upstream_credentials.cache import TAKEN
from answerable.gateway.upstream_credentials.provider import LEAKED, Credentials
from answerable.model.config import Config
from answerable.model.errors import EnvironmentRefused
from answerable.model.person_request import Requested
from answerable.model.policy_replay import Replayed
from answerable.server.active_policy_exceptions import InForce, Standing
from answerable.server.admission import AdmissionControl
from answerable.server.authentication.authenticator import Callers
from answerable.server.baseline_watch import InForce as Baseline
from answerable.server.connection_info import Link
from answerable.server.deadline_timer import Ticker
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.listeners import Serving, accept
from answerable.server.listening_sockets import Socket
from answerable.server.open_files import raise_open_files
from answerable.server.operator_log import Log
from answerable.server.pins.pin_enforcer import PinKeeper
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_log import PinTold
from answerable.server.resident_memory import resident_bytes
from answerable.server.revocation_list import KillList, KillWatch
from answerable.server.revocation_notices import KillsTold
from answerable.server.secret_fingerprints import fingerprints
from answerable.server.shared_secret import shared_secret
from answerable.server.tls import TlsListeners, as_configured
from answerable.server.wire.host_check import Served
from answerable.usecases.authorization.authorize import Authority

ROUND = 0.05  # seconds: several rounds of the loop


class House:
    """Application of one worker.

    Attributes:
        door: HTTP server for calls.
        recorder: Recorder of decisions.
    """

    def __init__(
        self, start: Start, config: Config, log: Log, say: Callable[[Wants], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        state = Path(start.state)
        secret = shared_secret(state)
        self._config, self._log = config, log
        self._authority = Authority(compile_table(start.policy, config))
        self._callers = Callers(
            config,
            IssuerKeys(config.issuers),
            time.time,
            secret=secret,
            inventory=agent_ids(start.policy),
        )
        spans = Spans(config.otlp, log) if config.otlp else None
        self.recorder = Counting(
            state / "spool", start.worker, loop, config.limits, spans, log
        )
        self._held_back = HeldBack(config.asks, lambda asked: say(Wants(asked)))
        self.recorder.held_back = self._held_back
        self._ticker = Ticker(loop)
        self._pins = PinKeeper(
            PinFiles(state), config.servers, self._authority, loop, PinTold(log)
        )
        self._servers = build_upstreams(config, (), self._ticker, self._pins.met)
        self._recent = Recent()
        self._credentials = Credentials(
            config,
            time.time,
            self._spawn,
            fingerprints(Path(start.store)),
            self._shown,
        )
        self._requests = Requests(self._unasked)
        self._behaviour = Behaviour(config, self._pins.definition, self._requests)
        self.door = Door(
            exchange=Exchange(
                self._authority,
                self.recorder,
                self._servers,
                self._credentials,
                self._recent,
                Definitions(self._servers, self._pins),
                self._behaviour,
            ),
            callers=self._callers,
            sessions=Sessions(secret),
            limits=config.limits,
            ticker=self._ticker,
            loop=loop,
        )
        raise_open_files(config.limits, log)
        self.door.admission = AdmissionControl(
            config.limits, config.listen.proxies, log
        )
        self._authority.on_kill(self._cut)
        self._kills_told = told = KillsTold(self.recorder, log)
        self._kills = KillWatch(
            KillList(Path(start.store), state),
            self._authority,
            loop,
            self._killed,
            told.unread,
        )
        self._fresh = (
            loop.create_task(self._callers.keep_fresh(self._keyless)),
            loop.create_task(self._credentials.keep_fresh()),
        )
        self._amendments = InForce(self._authority, loop)
        self._amendments.take(start.amendments)
        self.hold_to(start.baselines)
        self.asked(start.requests)
        self._servings: list[Serving] = []
        self._tls = TlsListeners()
        self._peers: Peers | None = None
        self._own = socket_of(state, start.worker)

    @classmethod
    async def open(
        cls, start: Start, log: Log, say: Callable[[Wants], None]
    ) -> "House":
        """Assemble a worker and start to listen.

        Raises:
            AnswerableError: Something that it needs is missing or invalid.
        """
        config = parse_worker_config(start.policy)
        house = cls(start, config, log, say)
        for each in start.sockets:
            await house._listen(each)
        if start.workers > 1:
            await house._meet(start)
        return house

    @property
    def alarm(self) -> str:
        """Current disk error; empty while the disk accepts writes."""
        return self.recorder.alarm

    @property
    def is_busy(self) -> bool:
        """True while a connection is open."""
        relays = self._peers is not None and self._peers.is_busy
        return bool(self.door.fronts) or relays

    @property
    def drains_for(self) -> int:
        """Seconds that open calls have to finish."""
        return self._config.limits.drain

    def series(self) -> Iterator[Series]:
        """Yield all metrics, of calls and of open connections."""
        yield from self.recorder.series()
        yield Series("answerable_connections", (), len(self.door.fronts))
        refused = self._credentials.refused
        yield Series("answerable_credentials_refused", (), refused)
        calls = sum(self.door.in_flight.values())
        yield Series("answerable_calls_in_flight", (), calls)
        yield Series("answerable_memory_bytes", (), resident_bytes())
        yield Series("answerable_calls_deferred", (), self.door.queue.deferred)
        yield Series("answerable_calls_waiting", (), len(self.door.queue))
        held = sum(self.door.held_bytes.values())
        yield Series("answerable_body_bytes", (), held)
        admission = self.door.admission
        yield Series("answerable_connections_pressed", (), float(admission.is_pressed))
        for what, quota, count in admission.counted():
            yield Series(f"answerable_connections_{what}", (quota,), count)

    async def attempt(self, policy: Policy) -> tuple[str, Replayed]:
        """Evaluate another policy on recent calls, without applying it.

        Raises:
            AnswerableError: The policy cannot be used.
        """
        _, table = await self._read(policy)
        return table.policy, await decide_anew(self._authority, table, self._recent)

    async def swap(self, policy: Policy) -> tuple[str, Replayed]:
        """Decide by another configuration from the next call on.

        Returns:
            Its digest, and its replay result on recent calls.

        Raises:
            AnswerableError: It cannot be used; the present one stays in force.
        """
        config, table = await self._read(policy)
        replayed = await decide_anew(self._authority, table, self._recent)
        # A command that runs is kept; a URL may have other certificates by now.
        kept = {
            server.name: self._servers[server.name]
            for server in set(self._config.servers) & set(config.servers)
            if server.command
        }
        fresh = build_upstreams(config, kept.keys(), self._ticker, self._pins.met)
        use_certificates = self._tls.prepare(config.listen.gateway)
        self._pins.swap(config.servers)  # the last that may be refused
        self._callers.swap(config, agent_ids(policy))
        use_certificates()
        for name in self._servers.keys() - kept.keys():
            self._servers.pop(name).close()
        self._servers.update(fresh)
        for server in kept.values():
            server.limits = config.limits
        self.door.limits = self.door.admission.limits = config.limits
        self._config = config
        self._credentials.swap(config)
        self._behaviour.swap(config)
        self._held_back.swap(config.asks)
        self._authority.swap(table)
        self._log.info("policy.taken", digest=table.policy)
        return table.policy, replayed

    async def _read(self, policy: Policy) -> tuple[Config, Table]:
        """Read and compile in a thread: a large file takes a second."""
        before = self._authority.table
        # Two policy sets in memory are the peak: slices that the replay does not use
        # are dropped, and compiled again when a call needs them.
        before.slices.keep(self._recent.requests())
        config = await asyncio.to_thread(parse_worker_config, policy)
        return config, await asyncio.to_thread(compile_table, policy, config, before)

    def amend(self, standing: Standing) -> None:
        """Replace the policy exceptions in force."""
        self._amendments.take(standing)

    def hold_to(self, standing: tuple[Baseline, ...]) -> None:
        """Replace the baselines in force."""
        self._behaviour.hold_to(standards(standing))

    def asked(self, standing: tuple[Requested, ...]) -> None:
        """Replace the requests of persons in force."""
        self._requests.take(standing)

    def drain(self) -> None:
        """Accept no more connections; open calls continue."""
        for serving in self._servings:
            serving.close()
        self.door.drain()

    async def close(self) -> int:
        """Cut open connections, and write the remaining records.

        Returns:
            Number of connections that were cut.
        """
        cut = len(self.door.fronts)
        self.door.abort()
        if self._peers is not None:
            self._peers.abort()
        self._kills.close()
        await self._pins.written()
        for each in self._fresh:
            each.cancel()
        self._amendments.close()
        self._credentials.close()
        for server in self._servers.values():
            server.close()
        # Cut connections report it in the next iteration of the loop.
        await asyncio.sleep(ROUND)
        self.recorder.close()
        return cut

    def _cut(self, _: Kills) -> None:
        """Cut calls that a revocation forbids, before another request is read."""
        self._callers.refuse_keys(killed_keys(self._authority.kills))
        self.door.recheck()

    def _killed(self, killed: Kills, revived: Kills) -> None:
        self._callers.refuse_keys(killed_keys(self._authority.kills))
        self._kills_told.changed(killed, revived)

    async def _listen(self, given: Socket) -> None:
        listener = given.listener
        served = Served(frozenset(given.hosts), frozenset(listener.origins))
        front = partial(Front, self.door, served, given.url)
        bound = socket.socket(fileno=os.dup(given.handle))
        loop = self.door.loop
        named = as_configured(listener, self._config.listen.gateway)
        context = self._tls.add(named)
        serving = await accept(loop, bound, front, context, self.door.admission)
        self._servings.append(serving)

    async def _meet(self, start: Start) -> None:
        """Listen for connections that other workers relay, and relay to them."""
        folder = self._own.parent
        loop = self.door.loop
        self.door.peers = self._peers = Peers(start.worker, start.workers, folder, loop)
        self._own.unlink(missing_ok=True)
        try:
            serving = await loop.create_unix_server(
                lambda: Arrival(self._relayed), str(self._own)
            )
        except OSError as error:
            raise EnvironmentRefused(
                f"cannot listen at {self._own} ({error.strerror})",
                "a path of a socket has at most 107 bytes: name a shorter `state`",
            ) from None
        self._servings.append(serving)

    def _relayed(self, link: Link, served: Served) -> Front:
        return Front(self.door, served, link.url, link=link)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self.door.spawn(work)

    def _unasked(self, request: str, why: str) -> None:
        self._log.warning("request.refused", id=request, why=why)

    def _shown(self, event: str, server: str, what: str) -> None:
        tell = {LEAKED: self._log.error, TAKEN: self._log.info}.get(
            event, self._log.warning
        )
        tell(event, server=server, what=what)

    def _keyless(self, issuer: str, why: str) -> None:
        self._log.warning("issuer.keys-refused", issuer=issuer, why=why)
