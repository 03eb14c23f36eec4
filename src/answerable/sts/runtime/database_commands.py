"""Run commands on the database of a token service: list keys, recover a restore."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from answerable.federation.key_rotation import LEAD_TIME, KeyState, key_state
from answerable.model.errors import UsageError
from answerable.model.token_signing_key import SigningKey
from answerable.store.durable_files import act_as_folder_owner
from answerable.store.token_state.interface import TokenState
from answerable.store.token_state.open_state import open_token_state
from answerable.store.token_state.restore_detection import (
    RestoreRevocations,
    revoke_after_restore,
)
from answerable.sts.runtime.restore_recovery import revoke_keys_at_gateways
from answerable.sts.runtime.settings import StsSettings


def list_signing_keys(settings: StsSettings, *, rotate: bool, kill: str) -> list[str]:
    """List the signing keys as text, after rotating or revoking.

    Args:
        rotate: Activate the prepared keys as soon as verifiers had time to fetch them.
        kill: kid of a key to revoke, empty for none.

    Raises:
        UsageError: No active or prepared key has that kid.
        EnvironmentFailure: The record cannot be used.
    """
    now = time.time()
    with _open_database(settings, now) as control:
        if kill and not control.revoke_signing_key(kill, now):
            raise UsageError(
                f"no key in use has the kid {kill[:80]!r}",
                "list the keys: answerable token-service keys --config FILE",
            )
        if rotate:
            _activate_prepared_keys(control, now)
        keys = control.list_signing_keys()
    return [_format_signing_key(key, keys, now) for key in keys]


def _format_signing_key(
    key: SigningKey, keys: tuple[SigningKey, ...], now: float
) -> str:
    """Format one signing key with its state as a line."""
    what = "killed" if key.killed else key_state(key, keys, now).value
    begins, ends = _format_time(key.signs_from), _format_time(key.signs_until)
    return f"{key.kid} {what} replica {key.replica} signs {begins} to {ends}"


def _activate_prepared_keys(token_state: TokenState, now: float) -> None:
    """Let prepared keys sign as soon as verifiers had time to fetch them."""
    keys = token_state.list_signing_keys()
    for key in keys:
        begins = max(int(now), key.published + LEAD_TIME)
        ahead = key_state(key, keys, now) is KeyState.PREPARED
        if ahead and begins < key.signs_from:
            token_state.publish_signing_key(replace(key, signs_from=begins))


def recover_after_restore(settings: StsSettings) -> tuple[RestoreRevocations, bool]:
    """Revoke what a restored database may have lost, also at the gateways.

    Returns:
        What was revoked, and whether the file names a gateway.

    Raises:
        EnvironmentFailure: The record cannot be used.
    """
    now = time.time()
    with _open_database(settings, now) as control:
        ended = revoke_after_restore(control, settings.state, now)
    return ended, revoke_keys_at_gateways(settings, ended)


@contextmanager
def _open_database(settings: StsSettings, now: float) -> Iterator[TokenState]:
    """Open the token service's database as the owner of its folder."""
    # Files that root makes there would be the service's no more.
    with act_as_folder_owner(settings.state):
        control = open_token_state(settings.state, now, settings.service.database)
        try:
            yield control
        finally:
            control.close()


def _format_time(seconds: int) -> str:
    """Format a NumericDate as UTC text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
