"""What the command line asks of a token service: over its socket, or of its record."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from answerable.federate.keyring import LEAD, State, state
from answerable.model.config import TokenService
from answerable.model.errors import UsageError
from answerable.store.control.contract import Control
from answerable.store.control.opening import open_control
from answerable.sts.serve.plan import Plan

PATIENCE = 2  # seconds for an answer; a kill does not wait for a service that hangs
LONGEST = 1 << 20  # bytes of one


def killed_by(
    service: TokenService, subject: str
) -> tuple[bool, tuple[str, ...]] | None:
    """Have a running service take a kill, and end what it names.

    Returns:
        Whether the kill is new, and ids of the delegations that ended; None where
        nobody answers, or not to us.
    """
    said = _posted(service, "/admin/kill", {"subject": subject}) or {}
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


def key_lines(plan: Plan, *, rotate: bool, kill: str) -> Iterator[str]:
    """List the signing keys, a line each, after doing what is asked.

    Args:
        plan: Of the service.
        rotate: Let the prepared keys begin as soon as verifiers had time to read them.
        kill: kid of a key to take out of use, empty for none.

    Raises:
        UsageError: No such key signs or will.
        EnvironmentRefused: The record cannot be used.
    """
    now = time.time()
    with _record(plan, now) as control:
        if kill and not control.kill_key(kill, now):
            raise UsageError(f"no key in use has the kid {kill[:80]!r}")
        if rotate:
            _rotate(control, now)
        keys = control.keys()
    for key in keys:
        what = "killed" if key.killed else state(key, keys, now).value
        begins, ends = _at(key.signs_from), _at(key.signs_until)
        yield f"{key.kid} {what} replica {key.replica} signs {begins} to {ends}"


def _rotate(control: Control, now: float) -> None:
    keys = control.keys()
    for key in keys:
        begins = max(int(now), key.published + LEAD)
        ahead = state(key, keys, now) is State.PREPARED
        if ahead and begins < key.signs_from:
            control.publish_key(replace(key, signs_from=begins))


@contextmanager
def _record(plan: Plan, now: float) -> Iterator[Control]:
    control = open_control(plan.state, now, plan.service.database)
    try:
        yield control
    finally:
        control.close()


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
