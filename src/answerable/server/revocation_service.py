"""Revoke a subject at every server of a configuration: gateway and token service.

The command line and the web page write the revocation to the one file in the store,
which all servers watch. A running token service is asked over its socket as well, since
it knows which delegations a revocation ends; these are revoked with it, as a call names
no rule, no issuer and no owner of its agent. Without its answer the result claims
nothing about the gateway.

A server of another user, of an earlier release, or with another store does not read
that file: the revocation is written to its own folder, too. Where that folder is not
writable, the result names the command to run.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from answerable.authorization.revocations import parse_revocation_subject
from answerable.model.config import Config
from answerable.model.errors import EnvironmentFailure, IdError
from answerable.server.admin_client import (
    UNKNOWN_UID,
    AdminClient,
    file_owner,
    format_user,
)
from answerable.server.recording.spool_segments import is_recorder_running
from answerable.server.revocation_list import (
    RevocationFile,
    RevocationList,
    RevocationNote,
)
from answerable.server.state_folders import (
    decisions_state,
    gateway_state,
    token_service_state,
)
from answerable.server.state_lock import is_locked_for_store
from answerable.server.store_access import create_store

GATEWAY, SERVICE = "the gateway", "the token service"
NO_SERVER = "no server of the configuration handles this subject"
# Subjects of calls, which no token names.
_CALL_SUBJECTS = ("principal:", "server:", "tool:", "cred:", "key:")
# Subjects of tokens, which no call names.
_TOKEN_SUBJECTS = ("rule:", "issuer:")
# Subjects whose tokens may stay valid without the token service's answer: a run has
# others below it, a person agents that act for no person.
_PARTLY_KNOWN_SUBJECTS = ("rule:", "person:", "run:")


@dataclass(frozen=True, slots=True)
class RevocationResult:
    """Result of a revocation or reinstatement.

    Attributes:
        at: Servers where it is in force: `GATEWAY`, `SERVICE`.
        ended: Delegations that the token service refuses by it; None where it did not
            answer.
        refused: Servers where it is not in force, and why; empty where there is none.
        hints: Commands to run for them.
        waits: Effects that are still pending, and what to do, a sentence each.
        waiting: Servers where it is in force once they start.
    """

    is_new: bool
    at: tuple[str, ...] = ()
    ended: tuple[str, ...] | None = None
    refused: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(slots=True)
class _RevocationProgress:
    """Progress of a revocation, by server."""

    changed: dict[str, bool] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def try_at_server(self, server: str, change: Callable[[], bool]) -> None:
        """Apply a change for one server; keep the reason if it fails."""
        try:
            self.changed[server] = change() or self.changed.get(server, False)
        except EnvironmentFailure as error:
            self.why[server] = error.message

    def merge(self, server: str, other: "_RevocationProgress") -> None:
        """Merge the result of a change that several servers share."""
        for changed in other.changed.values():
            self.changed[server] = changed or self.changed.get(server, False)
        for why in other.why.values():
            self.why[server] = why

    def is_done_at(self, server: str) -> bool:
        """Return whether the change succeeded at a server."""
        return server in self.changed and server not in self.why


def operator_name() -> str:
    """Return the name of the user that runs a command, for display."""
    return format_user(os.getuid())


class RevocationService:
    """Revocations of one store and its configuration; None for the default folders."""

    def __init__(self, store: Path, config: Config | None) -> None:
        service = None if config is None else config.sts
        self._post, self._store = AdminClient(service), store
        self._place = "FILE" if config is None else config.place
        own = store / "gateway" if config is None else gateway_state(config, store)
        state = token_service_state(service, store)
        # A token service may run without a gateway.
        alone = config is not None and config.sts and not config.servers
        self.has_gateway = not (alone and not own.is_dir())
        self._has_service = bool(service) or state.is_dir()
        point = store / "decisions"
        if config is not None and config.decisions is not None:
            point = decisions_state(config.decisions, store)
        # Spools of the servers that apply the gateway's revocations.
        self._spools = (own / "spool", point / "spool")
        # Folders of another user that we may not enter are left out.
        listed = [each for each in (own, state) if RevocationFile(each).is_accessible()]
        self._list = RevocationList(store, *listed)
        self._folders = {GATEWAY: own, SERVICE: state}
        elsewhere = config is not None and Path(config.store or store) != store
        self._apart = {
            where: RevocationFile(folder)
            for where, folder in self._folders.items()
            if folder.is_dir() and self._reads_other_store(folder, elsewhere=elsewhere)
        }

    def list_revoked(self) -> Mapping[str, RevocationNote]:
        """Return all revoked subjects, with the facts about each revocation."""
        return self._list.read_revocations()

    def list_affected_servers(self, subject: str) -> tuple[str, ...]:
        """Return which servers enforce a revocation: gateway, token service.

        Raises:
            IdError: It names no subject.
        """
        parse_revocation_subject(subject)
        gateway = self.has_gateway and not subject.startswith(_TOKEN_SUBJECTS)
        service = self._has_service and not subject.startswith(_CALL_SUBJECTS)
        return (*((GATEWAY,) if gateway else ()), *((SERVICE,) if service else ()))

    def revoke(self, subject: str, author: str, reason: str = "") -> RevocationResult:
        """Revoke a subject at every server that can be reached.

        Args:
            subject: Subject to revoke.
            author: Name of the person or user, for display.
            reason: Reason, for display.

        Raises:
            IdError: It names no subject.
            EnvironmentFailure: It is in force nowhere.
        """
        note = RevocationNote(author, reason=reason)
        doing, servers = _RevocationProgress(), self._require_servers(subject, "kill")

        def write(file: RevocationFile) -> bool:
            return file.revoke_all((subject,), note)

        # First the gateway: a token service that hangs must not delay it.
        self._write_revocation_files(doing, servers, write)
        said = None
        if SERVICE in servers:
            said = self._send_to_token_service(doing, subject, "kill", note)
        ended = None if said is None else _parse_ended_delegations(said)
        if ended is not None and self.has_gateway:
            runs = tuple(f"run:{each}" for each in ended)
            with_it = RevocationNote(author, ended_with=subject)
            self._write_revocation_files(
                doing, (GATEWAY,), lambda file: file.revoke_all(runs, with_it)
            )
        waiting = self._pending_servers(doing, is_service_notified=said is not None)
        return replace(
            self._build_result(doing, subject, "kill"),
            ended=ended,
            waiting=waiting,
            waits=self._pending_notes(waiting, subject, ended_known=ended is not None),
        )

    def preview(self, subject: str) -> RevocationResult:
        """Preview a revocation, without changing anything; errors as for `revoke`."""
        servers = self._require_servers(subject, "kill")
        said = None
        if SERVICE in servers:
            owner = file_owner(self._folders[SERVICE])
            said, _ = self._post.send_request("/admin/given", subject, "", {0, owner})
        ended = None if said is None else _parse_ended_delegations(said)
        doing = _RevocationProgress(dict.fromkeys(servers, True))
        waiting = self._pending_servers(doing, is_service_notified=said is not None)
        is_new = subject not in self.list_revoked()
        return RevocationResult(is_new, servers, ended, waiting=waiting)

    def reinstate(self, subject: str) -> RevocationResult:
        """Reinstate a subject at every server; ended delegations stay ended."""
        doing, servers = _RevocationProgress(), self._require_servers(subject, "revive")

        def write(file: RevocationFile) -> bool:
            return file.reinstate(subject)

        self._write_revocation_files(doing, servers, write)
        for where, folder in self._folders.items():
            # A file of an earlier release is in force, too.
            old = RevocationFile(folder)
            if where not in self._apart and _is_listed_in(old, subject):
                doing.try_at_server(where, partial(write, old))
        if SERVICE in servers:
            self._send_to_token_service(doing, subject, "revive", RevocationNote())
        return self._build_result(doing, subject, "revive")

    def _reads_other_store(self, folder: Path, *, elsewhere: bool) -> bool:
        """Return whether a server may not read the revocation file of our store."""
        if folder.is_relative_to(self._store):
            return not is_locked_for_store(folder, self._store)
        of_another = file_owner(folder) != file_owner(self._store) != UNKNOWN_UID
        return of_another or elsewhere or not is_locked_for_store(folder, self._store)

    def _require_servers(self, subject: str, command: str) -> tuple[str, ...]:
        """Return the servers that a revocation concerns; raise if there is none."""
        servers = self.list_affected_servers(subject)
        if not servers:
            raise EnvironmentFailure(
                f"{subject} is not {_PAST_TENSE[command]} ({NO_SERVER})",
                _other_server_hint(subject),
            )
        return servers

    def _write_revocation_files(
        self,
        progress: "_RevocationProgress",
        servers: Collection[str],
        write: Callable[[RevocationFile], bool],
    ) -> None:
        """Change the shared file, and the files of servers that do not read it."""

        def shared() -> bool:
            if not self._store.exists():
                create_store(self._store)
            return write(self._list.shared)

        common = _RevocationProgress()
        common.try_at_server(GATEWAY, shared)
        for where in servers:
            progress.merge(where, common)
        apart = self._apart.get(GATEWAY)
        if GATEWAY in servers and apart is not None:
            progress.try_at_server(GATEWAY, partial(write, apart))

    def _send_to_token_service(
        self,
        progress: "_RevocationProgress",
        subject: str,
        command: str,
        note: RevocationNote,
    ) -> Mapping[str, object] | None:
        """Send a revocation to the token service; return its answer, else None."""
        folder = self._folders[SERVICE]
        owner = file_owner(folder)
        said, uid = self._post.send_request(
            f"/admin/{command}", subject, note.by, {0, owner}, note.reason
        )
        if said is not None:
            progress.why.pop(SERVICE, None)
            is_new = said.get("new", said.get("revived")) is True
            progress.changed[SERVICE] = is_new or progress.changed.get(SERVICE, False)
        elif uid is None or uid == owner != UNKNOWN_UID:
            apart = self._apart.get(SERVICE)
            if apart is not None:
                progress.try_at_server(
                    SERVICE, partial(_write_change, apart, subject, command, note)
                )
        else:
            # Its folder is elsewhere: no server would read a file of ours.
            but = "does not respond"
            if uid:
                but = f"{folder} is {_owner_phrase(owner)}: its response is not trusted"
            progress.why[SERVICE] = f"it runs as {format_user(uid)}, and {but}"
        return said

    def _pending_servers(
        self, progress: "_RevocationProgress", *, is_service_notified: bool
    ) -> tuple[str, ...]:
        """List the servers that will apply the revocation when they start."""
        waiting = []
        if progress.is_done_at(GATEWAY) and not any(
            map(is_recorder_running, self._spools)
        ):
            waiting.append(GATEWAY)
        if progress.is_done_at(SERVICE) and not is_service_notified:
            waiting.append(SERVICE)
        return tuple(waiting)

    def _pending_notes(
        self, waiting: Collection[str], subject: str, *, ended_known: bool
    ) -> tuple[str, ...]:
        """Describe in words what the revocation does not stop yet."""
        waits = []
        if GATEWAY in waiting:
            waits.append(
                f"no gateway is running with {self._folders[GATEWAY]}: the kill is "
                "stored there until one starts; for another gateway, use --store"
            )
        if SERVICE in waiting:
            waits.append(
                "the token service is not running or does not respond to this user: "
                "the kill is stored until it starts"
            )
        if subject.startswith("issuer:"):
            waits.append(
                "delegations do not record the issuer of their token: existing ones "
                "remain valid until they expire. To end them, kill the issuer's rules: "
                f"answerable kill rule:ID --config {self._place}"
            )
        elif (
            self.has_gateway
            and self._has_service
            and not ended_known
            and subject.startswith(_PARTLY_KNOWN_SUBJECTS)
        ):
            waits.append(
                f"the gateway does not know every token issued through {subject}: "
                "it accepts these tokens until they expire, at most ten minutes. Run this "
                "again when the token service is running; until then: answerable kill "
                f"run:DELEGATION --config {self._place}"
            )
        return tuple(waits)

    def _build_result(
        self, progress: _RevocationProgress, subject: str, command: str
    ) -> RevocationResult:
        """Build the result: where it is in force, where it failed, what to do."""
        at = tuple(filter(progress.is_done_at, progress.changed))
        refused = tuple(f"{where}: {why}" for where, why in progress.why.items())
        hints = tuple(
            f"as {where}'s user: answerable {command} {subject} --config {self._place}"
            for where in progress.why
        )
        if not at:
            raise EnvironmentFailure(
                f"{subject} is not {_PAST_TENSE[command]} ({'; '.join(refused)})",
                "; ".join(hints),
            )
        is_new = any(progress.changed.values())
        return RevocationResult(is_new, at, refused=refused, hints=hints)


_PAST_TENSE = {"kill": "killed", "revive": "revived"}


def _write_change(
    file: RevocationFile, subject: str, command: str, note: RevocationNote
) -> bool:
    """Revoke or reinstate a subject in one file."""
    if command == "revive":
        return file.reinstate(subject)
    return file.revoke_all((subject,), note)


def _is_listed_in(file: RevocationFile, subject: str) -> bool:
    """Return whether a file lists a subject as revoked."""
    try:
        return subject in (file.read_revocations() or {})
    except EnvironmentFailure:
        return False  # it cannot be changed there, and is reported where it is in force


def _other_server_hint(subject: str) -> str:
    """Return a hint for a subject that no server here can revoke."""
    if subject.startswith(_TOKEN_SUBJECTS):
        return "only a token service can kill a rule or an issuer: add section `sts`"
    return "only a gateway blocks calls; at a token service use agent:... or run:..."


def _parse_ended_delegations(answer: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the ended delegations in an answer; None if it is malformed."""
    ended = answer.get("ended")
    if not isinstance(ended, list) or not all(isinstance(each, str) for each in ended):
        return None
    try:
        for each in ended:
            parse_revocation_subject(f"run:{each}")
    except IdError:
        return None
    return tuple(ended)


def _owner_phrase(uid: int) -> str:
    """Return the Unix owner of a folder (`owned by user root`), for messages."""
    user = "an unknown user" if uid == UNKNOWN_UID else format_user(uid)
    return f"owned by {user}"
