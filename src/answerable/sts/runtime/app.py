"""The token service application: assembled from a configuration, reloadable."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

from answerable.authorization.revocations import Kills
from answerable.model.errors import AnswerableError
from answerable.server.admission import AdmissionControl
from answerable.server.background_tasks import Tasks
from answerable.server.dpop_replay_cache import Nonces
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import Bound, bind
from answerable.server.metrics import Names, rendered
from answerable.server.open_files import raise_open_files
from answerable.server.operator_log import Log
from answerable.server.processes.run_registration import Killed, Launch
from answerable.server.processes.run_registry import Run, Runs
from answerable.server.processes.sender_listener import Listening
from answerable.server.resident_memory import resident_bytes
from answerable.server.revocation_list import KillList, KillWatch, Note
from answerable.server.revocation_notices import KillsTold
from answerable.server.shared_secret import shared_secret
from answerable.server.sign_in_accounts import SignIns
from answerable.server.wire.host_check import Served
from answerable.services.federation.own_tokens import OwnTokens
from answerable.store.token_state.restore_detection import count_up
from answerable.sts.endpoints.admin import Admin
from answerable.sts.endpoints.delegation import DelegateEndpoint
from answerable.sts.endpoints.introspection import Introspection
from answerable.sts.endpoints.proof_of_possession import Proving
from answerable.sts.endpoints.public_pages import Public
from answerable.sts.endpoints.run_registration import RunsEndpoint, record_end
from answerable.sts.endpoints.token import TokenEndpoint
from answerable.sts.endpoints.token_revocation import Revocation
from answerable.sts.http.connection import Front
from answerable.sts.http.server import Door, Handler, Routes
from answerable.sts.http.server_metadata import base_of
from answerable.sts.recording.exchange_recorder import Recorder
from answerable.sts.runtime.delegation_revoker import Revoker
from answerable.sts.runtime.executor import Blocking
from answerable.sts.runtime.group_commit import Gathering
from answerable.sts.runtime.health_listener import open_health
from answerable.sts.runtime.maintenance import Upkeep
from answerable.sts.runtime.owner_watch import Owners
from answerable.sts.runtime.restore_recovery import close_counted, open_checked
from answerable.sts.runtime.revocation_state import Bounds
from answerable.sts.runtime.settings import Plan, foreign, in_force
from answerable.sts.runtime.token_reviews import Reviews, asked_of
from answerable.sts.security_events import Events
from answerable.sts.signing_keys.key_ring import Ring
from answerable.sts.signing_keys.key_store import KeyFolder
from answerable.sts.token_signing import Signing
from answerable.usecases.federation.token_exchange import Exchanges

NAME = "sts"
ROUND = 0.05  # seconds: several rounds of the loop
# Without agents and rules, because a workload may read the metrics.
NUMBERS = Names(
    "answerable_sts",
    ("attempts", "Attempts.", ("what", "error")),
    "Requests turned away unread.",
    "Attempts refused for want of a record.",
)


class House:
    """The application of one process.

    Attributes:
        listening: Listeners: pairs (what, where).
        reload_refused: Why the last reload failed, empty if it did not.
        ship_refused: Why the last shipping of evidence failed, likewise.
    """

    def __init__(self, plan: Plan, log: Log) -> None:
        self.reload_refused = self.ship_refused = ""
        self._plan, self._log = plan, log
        self._loop = loop = asyncio.get_running_loop()
        config, service, state = plan.config, plan.service, plan.state
        self._clock: Callable[[], float] = time.time
        now = self._clock()
        secret = shared_secret(state)
        self._control = open_checked(plan, now, log)
        self._count_up = partial(count_up, self._control, state)
        self._signing = signing = Signing(
            Ring(
                self._control,
                KeyFolder(state, service.passphrase, service.passphrase_env),
                now,
            )
        )
        self._events = Events(service, signing, log, self._clock)
        self._blocking = Blocking(beside=bool(service.database))
        self._nonces = Nonces(secret, since=self._control.epoch())
        self._bounds = Bounds()
        self._list = KillList(plan.store, state)
        self._owners = Owners(plan.store, log)
        self._recorder = Recorder(state / "spool", loop, config.limits)
        self._runs = Runs(state, self._run_ended)
        self._keys = IssuerKeys(foreign(plan))
        self._reviews = Reviews(foreign(plan), log)
        self._own = OwnTokens(
            service.url, signing.key_set, self._control, lambda: self._bounds.kills
        )
        self._exchanges = Exchanges(
            service.url,
            self._own,
            self._control,
            signing,
            self._keys.issuers,
            self._owners.people,
            lambda: self._bounds.kills,
            SignIns(state).is_bound,
        )
        self._exchanges.swap(in_force(plan))
        self._tasks = Tasks()
        self._revoker = Revoker(
            self._control,
            self._blocking,
            self._events if service.events else None,
            self._tasks,
            self._clock,
            log,
        )
        self._admin = Admin(
            service.admins,
            self._list,
            self._look,
            self._revoker.revoke_and_list,
            self._state,
            self._revoker.given_to,
        )
        self.door = Door(
            Routes(base_of(service.url), self._handlers()),
            config.limits,
            service.terminator,
            loop,
            self._recorder.turned_away,
            self._failed,
        )
        self._kills_told = told = KillsTold(self._recorder, log)
        self._kills = KillWatch(
            self._list, self._bounds, loop, self._killed, told.unread
        )
        raise_open_files(config.limits, log)
        self.door.admission = AdmissionControl(
            config.limits, config.listen.proxies, log
        )
        self._upkeep: Upkeep | None = None
        self._listeners = Listeners(loop, self.door.admission)
        self.listening = self._listeners.where

    @classmethod
    async def open(cls, plan: Plan, log: Log) -> "House":
        """Assemble the application and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        house = cls(plan, log)
        await house._owners.refresh()
        for listener in plan.service.listen:
            await house._listen(bind(listener, 1))
        await open_health(plan, house.door, house._handlers(), house._listeners, log)
        house._tasks.spawn(house._owners.keep_fresh())
        house._upkeep = upkeep = Upkeep(
            *(house._keys, house._signing, house._control, house._runs),
            *(house._clock, log),
            count_up=house._count_up,
        )
        for work in upkeep.works():
            house._tasks.spawn(work)
        return house

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self.door.is_busy

    async def swap(self, plan: Plan) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        use_certificates = self._listeners.prepare(plan.service.listen)
        asked = asked_of(foreign(plan))
        self._keys.swap(foreign(plan))
        use_certificates()
        self._reviews.swap(asked)
        self._exchanges.swap(in_force(plan))
        self._admin.swap(plan.service.admins)
        self.door.limits = self.door.admission.limits = plan.config.limits
        self._plan = plan

    def drain(self) -> None:
        """Accept no more connections; requests in progress finish."""
        self._listeners.close()
        self.door.drain()

    async def close(self) -> None:
        """Close connections and flush records."""
        self.door.abort()
        self._kills.close()
        await self._tasks.cancel()
        await asyncio.sleep(ROUND)
        await self._events.close()
        await self._owners.close()
        self._blocking.close()
        self._runs.close()
        self._recorder.close()
        close_counted(self._control, self._count_up)

    # The endpoints.

    def _handlers(self) -> dict[tuple[str, str], Handler]:
        own, control, blocking = self._own, self._control, self._blocking
        recorder, clock, url = self._recorder, self._clock, self._plan.service.url
        proving = Proving(url, self._nonces, control, own)

        def admins() -> tuple[int, ...]:
            return self._plan.service.admins

        return {
            **Public(
                url, self._signing.jwks, self.reasons, self._told, self._metrics
            ).handlers(),
            **TokenEndpoint(
                *(
                    self._exchanges,
                    proving,
                    self._keys,
                    self._reviews.review,
                    self._runs,
                ),
                *(
                    blocking,
                    Gathering(self._exchanges, recorder, self._loop, clock),
                    recorder,
                ),
                *(lambda: self._plan.service.gateways, clock),
            ).handlers(),
            **DelegateEndpoint(
                self._exchanges, control, proving, blocking, recorder, clock
            ).handlers(),
            **Introspection(own, proving, blocking, admins, clock).handlers(),
            **Revocation(
                *(own, control, proving, blocking, recorder, admins),
                *(
                    lambda subject, died: self._revoker.notify(subject, "user", died),
                    clock,
                ),
            ).handlers(),
            **RunsEndpoint(
                *(self._runs, self._allows, recorder),
                lambda: self._exchanges.in_force.root,
                clock,
            ).handlers(),
            **self._admin.handlers(),
        }

    def _allows(self, launch: Launch) -> str:
        """Return the rule that lets a person start an agent."""
        rules = self._exchanges.in_force.rules
        id = rules.allows(
            launch.agent, launch.started_by, launch.runs_as, launch.program
        )
        killed = {launch.agent, f"rule:{id}"} & self._bounds.kills
        # Only a person whom a rule lets start the agent learns of the revocation.
        for subject in sorted(killed) if id else ():
            raise Killed(subject, str(self._noted().get(subject, Note())))
        return id

    def _noted(self) -> Mapping[str, Note]:
        try:
            return self._list.told()
        except AnswerableError:  # what is in force stays so
            return {}

    # Revocations.

    def _killed(self, killed: Kills, revived: Kills) -> None:
        self._kills_told.changed(killed, revived)
        noted = self._noted() if killed else {}
        for subject in sorted(killed):
            if not noted.get(subject, Note()).ended_with:  # it has ended already
                self._tasks.spawn(self._revoker.revoke(subject))

    def _look(self) -> None:
        self._kills.look()

    def _run_ended(self, run: Run) -> None:
        """Log and record the end of a run; callable from any thread."""
        self._log.info("run.ended", run=run.name, agent=run.agent)
        self._loop.call_soon_threadsafe(record_end, self._recorder, self._log, run)

    def _failed(self, error: BaseException) -> None:
        self._log.of_loop(self._loop, {"exception": error})

    # State and metrics.

    def reasons(self) -> list[str]:
        """Return why the service is not ready; empty if it is."""
        alarm = self._recorder.alarm
        refused = "" if self._upkeep is None else self._upkeep.control_refused
        return [
            *(["it is ending"] if self.door.draining else []),
            *([] if self._plan.is_whole else ["no rules could be loaded"]),
            *([f"it cannot record: {alarm}"] if alarm else []),
            *([refused] if refused else []),
        ]

    def _told(self) -> Mapping[str, object]:
        return {
            "reload_refused": self.reload_refused,
            "ship_refused": self.ship_refused,
            "owners_refused": self._owners.why,
            "warnings": self.door.admission.warnings,
        }

    def _state(self) -> Mapping[str, object]:
        return {
            "url": self._plan.service.url,
            "reasons": self.reasons(),
            **self._told(),
            "policy": self._plan.config.digest,
            "rules": [each.id for each in self._exchanges.in_force.rules],
            "owners": len(self._owners),
            "kills": sorted(self._bounds.kills),
            "runs": [each.name for each in self._runs],
            "connections": len(self.door.fronts),
        }

    def _metrics(self) -> bytes:
        gauges = {
            "connections": ("Connections of clients.", float(len(self.door.fronts))),
            "agents_owned": ("Agents with an attested owner.", len(self._owners)),
            "memory_bytes": ("Resident memory.", float(resident_bytes())),
            "rules": ("Rules in force.", len(self._exchanges.in_force.rules)),
            "ready": ("It gives tokens.", float(not self.reasons())),
            "events_sent": ("Events taken.", float(self._events.counted["sent"])),
            "events_dropped": ("Events dropped.", self._events.counted["dropped"]),
        }
        return rendered(NUMBERS, self._recorder, gauges, self.door.admission)

    # Background tasks.

    async def _listen(self, bound: Bound) -> None:
        given = bound.of_worker(0)
        served = Served(frozenset(given.hosts), frozenset(given.listener.origins))
        front = partial(Front, self.door, served, given.url)
        if given.listener.address is None:
            # The kernel says of each message who sent it, not of the connection alone.
            own, away = bound.sockets[0], self._recorder.turned_away
            serving = Listening(self._loop, own, front, away)
            self._listeners.add(NAME, bound, serving)
        else:
            await self._listeners.open(NAME, bound, front)
