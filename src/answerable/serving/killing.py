"""A kill from whoever may write our folders: at the gateway, and at the token service.

The command line and the page put one in force here. A running token service is asked
over its socket, as it can say what ended with it; where none runs, the kill waits in its
folder. Both have it in force within a second. A service of another user, whose folder is
not ours to write, does not take it from us, and that is told with the command to run.
"""

import json
import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from answerable.enforce.kill import kill_subject
from answerable.model.config import Config, TokenService
from answerable.model.errors import EnvironmentRefused
from answerable.serving.kills import KillFile, Note
from answerable.serving.state import gateway_state, token_state

GATEWAY, SERVICE = "the gateway", "the token service"
PATIENCE = 2  # seconds for an answer; a kill does not wait for a service that hangs
LONGEST = 1 << 20  # bytes of one
NOBODY = "no door of the configuration knows it"
SOMEBODY = -1  # a user id that is nobody's, where that of a listener cannot be seen
# What only a call is, and so nothing that is given.
_OF_CALLS = ("principal:", "server:", "tool:")
_UCRED = struct.Struct("=iII")  # pid, uid, gid (unix(7), SO_PEERCRED)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a kill, or of taking one back.

    Attributes:
        is_new: Something has changed by it.
        at: Where it is in force: `GATEWAY`, `SERVICE`.
        ended: Delegations that ended at once; None where no token service said so.
        refused: Where it is not, and why; empty where it is in force everywhere.
        hints: What to run there.
    """

    is_new: bool
    at: tuple[str, ...] = ()
    ended: tuple[str, ...] | None = None
    refused: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(slots=True)
class _Doing:
    """What became of it so far."""

    changed: dict[str, bool] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def try_at(self, where: str, act: Callable[[], bool]) -> None:
        try:
            self.changed[where] = act() or self.changed.get(where, False)
        except EnvironmentRefused as error:
            self.why[where] = error.message


def operator() -> str:
    """Name whoever gives a command here, to be shown: a user of this machine."""
    return _named(os.getuid())


def _named(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}" if uid != SOMEBODY else "another user"


class Kills:
    """The kills of one store and its configuration.

    Args:
        store: Folder of the store.
        config: The configuration; None where none is named, as the usual folders are.
    """

    def __init__(self, store: Path, config: Config | None) -> None:
        self._service = None if config is None else config.sts
        self._place = "FILE" if config is None else config.place
        own = store / "gateway" if config is None else gateway_state(config, store)
        # A token service may stand alone.
        alone = config is not None and config.sts and not config.servers
        self._gateway = None if alone and not own.is_dir() else KillFile(own)
        service = token_state(self._service, store)
        self._token = KillFile(service) if self._service or service.is_dir() else None

    def told(self) -> Mapping[str, Note]:
        """Give all that is killed anywhere, with what is known of each kill.

        Raises:
            EnvironmentRefused: A file may not be read.
        """
        files = [each for each in (self._token, self._gateway) if each is not None]
        return {
            what: note for each in files for what, note in (each.told() or {}).items()
        }

    def kill(self, subject: str, by: str) -> Done:
        """Put a kill in force wherever that can be done.

        Args:
            subject: What may do nothing.
            by: Who says so, to be shown.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: It is in force nowhere.
        """
        kill_subject(subject)
        doing = _Doing()

        def at_gateway(subject: str) -> None:
            file = self._gateway
            if file is not None:
                doing.try_at(GATEWAY, lambda: file.kill(subject, by))

        # First where calls are: a token service that hangs keeps it waiting no longer.
        at_gateway(subject)
        said = self._at_service(
            doing, subject, "kill", by, lambda file: file.kill(subject, by)
        )
        ended = None if said is None else _ended(said)
        for each in ended or ():
            at_gateway(f"run:{each}")
        return self._done(doing, subject, "kill", ended)

    def revive(self, subject: str) -> Done:
        """Take a kill back wherever that can be done; what was ended stays ended.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: It is taken back nowhere.
        """
        kill_subject(subject)
        doing = _Doing()
        if (file := self._gateway) is not None:
            doing.try_at(GATEWAY, lambda: file.revive(subject))
        self._at_service(
            doing, subject, "revive", "", lambda file: file.revive(subject)
        )
        return self._done(doing, subject, "revive", None)

    def _at_service(
        self,
        doing: _Doing,
        subject: str,
        act: str,
        by: str,
        write: Callable[[KillFile], bool],
    ) -> Mapping[str, object] | None:
        """Have the token service act; what it said, None where nobody did."""
        file = self._token
        if file is None or subject.startswith(_OF_CALLS):
            return None
        said, uid = _posted(self._service, f"/admin/{act}", subject, by)
        if said is not None:
            doing.changed[SERVICE] = said.get("new", said.get("revived")) is True
        elif uid is None or _is_of(uid, file.path.parent):
            doing.try_at(SERVICE, lambda: write(file))
        else:
            # Its folder is elsewhere: a file of ours would be one that nobody reads.
            doing.why[SERVICE] = f"it runs as {_named(uid)}, and does not answer us"
        return said

    def _done(
        self, doing: _Doing, subject: str, act: str, ended: tuple[str, ...] | None
    ) -> Done:
        at = tuple(each for each in doing.changed if each not in doing.why)
        refused = tuple(f"{where}: {why}" for where, why in doing.why.items())
        hints = tuple(
            f"as {where}'s user: answerable {_DOORS[where]} {act} {subject} "
            f"--config {self._place}"
            for where in doing.why
        )
        if not at:
            raise EnvironmentRefused(
                f"{subject} is not {_PAST[act]} ({'; '.join(refused) or NOBODY})",
                "; ".join(hints)
                or "a token service alone knows no calls: agent:..., run:...",
            )
        return Done(any(doing.changed.values()), at, ended, refused, hints)


_DOORS = {GATEWAY: "gateway", SERVICE: "sts"}
_PAST = {"kill": "killed", "revive": "revived"}


def _ended(said: Mapping[str, object]) -> tuple[str, ...]:
    ended = said.get("ended")
    return tuple(map(str, ended)) if isinstance(ended, list) else ()


def _is_of(uid: int, folder: Path) -> bool:
    return uid != SOMEBODY and uid == _owner_of(folder)


def _owner_of(place: Path | str) -> int:
    try:
        return os.stat(place).st_uid
    except OSError:
        return SOMEBODY


def _posted(
    service: TokenService | None, path: str, subject: str, by: str
) -> tuple[Mapping[str, object] | None, int | None]:
    """Ask a running service.

    Returns:
        What it said, None where it did not take it; and whose user it is, None where
        none runs.
    """
    listen = () if service is None else service.listen
    listener = next((each for each in listen if each.unix), None)
    if listener is None:
        return None, None
    body = json.dumps({"subject": subject, "by": by}).encode()
    host = listener.hosts[0] if listener.hosts else "localhost"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    uid, answer = _owner_of(listener.unix), b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(PATIENCE)
            wire.connect(listener.unix)
            peer = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            uid = _UCRED.unpack(peer)[1]
            wire.sendall(head.encode("latin-1") + body)
            while (part := wire.recv(65536)) and len(answer) < LONGEST:
                answer += part
    except (FileNotFoundError, ConnectionRefusedError):
        return None, None
    except OSError:
        return None, uid
    first, _, rest = answer.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.1 200 "):
        return None, uid
    try:
        said = json.loads(rest)
    except ValueError:
        return None, uid
    return (said if isinstance(said, dict) else None), uid
