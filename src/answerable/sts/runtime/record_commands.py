"""Commands on the record of a token service: list and rotate keys, recover a restore."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from answerable.federation.key_rotation import LEAD, State, state
from answerable.model.errors import UsageError
from answerable.model.signing_key import SigningKey
from answerable.store.durable_files import as_owner_of
from answerable.store.token_state.interface import Control
from answerable.store.token_state.open_state import open_control
from answerable.store.token_state.restore_detection import Ended, end_what_may_be_lost
from answerable.sts.runtime.restore_recovery import kill_at_gateways
from answerable.sts.runtime.settings import Plan


def key_lines(plan: Plan, *, rotate: bool, kill: str) -> list[str]:
    """List the signing keys as text, after rotating or revoking.

    Args:
        rotate: Activate the prepared keys as soon as verifiers had time to fetch them.
        kill: kid of a key to revoke, empty for none.

    Raises:
        UsageError: No active or prepared key has that kid.
        EnvironmentRefused: The record cannot be used.
    """
    now = time.time()
    with _record(plan, now) as control:
        if kill and not control.kill_key(kill, now):
            raise UsageError(f"no key in use has the kid {kill[:80]!r}")
        if rotate:
            _rotate(control, now)
        keys = control.keys()
    return [_line(key, keys, now) for key in keys]


def _line(key: SigningKey, keys: tuple[SigningKey, ...], now: float) -> str:
    what = "killed" if key.killed else state(key, keys, now).value
    begins, ends = _at(key.signs_from), _at(key.signs_until)
    return f"{key.kid} {what} replica {key.replica} signs {begins} to {ends}"


def _rotate(control: Control, now: float) -> None:
    keys = control.keys()
    for key in keys:
        begins = max(int(now), key.published + LEAD)
        ahead = state(key, keys, now) is State.PREPARED
        if ahead and begins < key.signs_from:
            control.publish_key(replace(key, signs_from=begins))


def end_after_restore(plan: Plan) -> tuple[Ended, bool]:
    """Revoke what a restored database may have lost, also at gateways.

    Returns:
        What was revoked, and whether the file names a gateway.

    Raises:
        EnvironmentRefused: The record cannot be used.
    """
    now = time.time()
    with _record(plan, now) as control:
        ended = end_what_may_be_lost(control, plan.state, now)
    return ended, kill_at_gateways(plan, ended)


@contextmanager
def _record(plan: Plan, now: float) -> Iterator[Control]:
    # Files that root makes there would be the service's no more.
    with as_owner_of(plan.state):
        control = open_control(plan.state, now, plan.service.database)
        try:
            yield control
        finally:
            control.close()


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
