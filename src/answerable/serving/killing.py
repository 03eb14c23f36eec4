"""A kill from whoever may write our folders: at the gateway, and at the token service.

A running token service is asked over its socket, as it can say what ended with it; one
that does not answer finds the kill in its folder. Both have it in force within a second.
"""

import json
import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.enforce.kill import kill_subject
from answerable.model.config import Config, TokenService
from answerable.model.errors import EnvironmentRefused
from answerable.serving.kills import KillFile, Note
from answerable.serving.state import gateway_state, token_state

PATIENCE = 2  # seconds for an answer; a kill does not wait for a service that hangs
LONGEST = 1 << 20  # bytes of one


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a kill, or of taking one back.

    Attributes:
        is_new: Something has changed by it.
        ended: Delegations that ended at once, where the token service said so.
        refused: Where it could not be written, and why; empty where it could.
    """

    is_new: bool
    ended: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def operator() -> str:
    """Name whoever gives a command here, to be shown: a user of this machine."""
    uid = os.getuid()
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


class Kills:
    """The kills of one store and its configuration.

    Args:
        store: Folder of the store.
        config: The configuration; None where none is named, as the usual folders are.
    """

    def __init__(self, store: Path, config: Config | None) -> None:
        self._service = None if config is None else config.sts
        own = store / "gateway" if config is None else gateway_state(config, store)
        self._gateway = KillFile(own)
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
        refused: list[str] = []
        # First where calls are: a token service that hangs keeps it waiting no longer.
        taken = [_written(self._gateway, subject, by, "the gateway", refused)]
        said = killed_by(self._service, subject, by) if self._service else None
        ended: tuple[str, ...] = ()
        if said is not None:
            is_new, ended = said
            taken.append(is_new)
            taken += [
                _written(self._gateway, f"run:{each}", by, "the gateway", refused)
                for each in ended
            ]
        elif self._token is not None:
            taken.append(
                _written(self._token, subject, by, "the token service", refused)
            )
        if all(each is None for each in taken):
            raise EnvironmentRefused(
                f"{subject} is not killed ({'; '.join(refused)})",
                "kill it as the gateway's user: answerable gateway kill SUBJECT",
            )
        return Done(any(taken), ended, tuple(dict.fromkeys(refused)))

    def revive(self, subject: str) -> Done:
        """Take a kill back; what was ended stays ended.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: It cannot be taken back everywhere.
        """
        files = [each for each in (self._gateway, self._token) if each is not None]
        was = [each.revive(subject) for each in files]
        return Done(any(was))


def _written(
    file: KillFile, subject: str, by: str, where: str, refused: list[str]
) -> bool | None:
    """Write a kill: whether it is new, None where that is refused."""
    try:
        return file.kill(subject, by)
    except EnvironmentRefused as error:
        refused.append(f"{where}: {error.message}")
        return None


def killed_by(
    service: TokenService, subject: str, by: str
) -> tuple[bool, tuple[str, ...]] | None:
    """Have a running service take a kill, and end what it names.

    Returns:
        Whether the kill is new, and ids of the delegations that ended; None where
        nobody answers, or not to us.
    """
    said = _posted(service, "/admin/kill", {"subject": subject, "by": by}) or {}
    ended = said.get("ended")
    if not isinstance(ended, list):
        return None
    return said.get("new") is True, tuple(map(str, ended))


def _posted(
    service: TokenService, path: str, content: dict[str, str]
) -> dict[str, object] | None:
    listener = next((each for each in service.listen if each.unix), None)
    if listener is None:
        return None
    body = json.dumps(content).encode()
    host = listener.hosts[0] if listener.hosts else "localhost"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(PATIENCE)
            wire.connect(listener.unix)
            wire.sendall(head.encode("latin-1") + body)
            while (part := wire.recv(65536)) and len(answer) < LONGEST:
                answer += part
    except OSError:
        return None
    first, _, rest = answer.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.1 200 "):
        return None
    said = json.loads(rest)
    return said if isinstance(said, dict) else None
