"""Recover a token service whose database was restored from an older copy."""

from collections.abc import Callable
from contextlib import suppress

from answerable.model.errors import AnswerableError
from answerable.server.operator_log import OperatorLog
from answerable.server.revocation_service import RevocationService, operator_name
from answerable.store.token_state.interface import TokenState
from answerable.store.token_state.open_state import open_token_state
from answerable.store.token_state.restore_detection import (
    RestoreRevocations,
    revoke_if_restored,
)
from answerable.sts.runtime.settings import StsSettings


def open_token_database(
    settings: StsSettings, now: float, log: OperatorLog
) -> TokenState:
    """Open the database; after a restore, revoke what may be lost.

    Args:
        now: NumericDate.

    Raises:
        EnvironmentFailure: It cannot be used, or is of a newer release.
    """
    control = open_token_state(settings.state, now, settings.service.database)
    try:
        ended = revoke_if_restored(control, settings.state, now)
    except BaseException:
        control.close()
        raise
    if ended is not None:
        _log_restore_and_revoke_keys(settings, ended, log)
    return control


def close_token_database(
    token_state: TokenState, increment_generation: Callable[[], None]
) -> None:
    """Increment the database generation, so that copies are older, and close."""
    with suppress(AnswerableError):  # it is counted up at the next start as well
        increment_generation()
    token_state.close()


def _log_restore_and_revoke_keys(
    settings: StsSettings, revoked: RestoreRevocations, log: OperatorLog
) -> None:
    """Log a detected restore, and revoke at gateways the keys of the restored state."""
    log.error(
        "control.restored",
        epoch=revoked.epoch,
        delegations=revoked.delegations,
        tokens=revoked.tokens,
        keys=list(revoked.keys),
    )
    try:
        revoke_keys_at_gateways(settings, revoked)
    except AnswerableError as error:
        log.error("control.keys-not-killed-at-gateways", why=error.message)


def revoke_keys_at_gateways(settings: StsSettings, revoked: RestoreRevocations) -> bool:
    """Revoke the keys that a restore lost at the gateways of the same file.

    Returns:
        False if the file names no gateway.
    """
    kills = RevocationService(settings.store, settings.config)
    if kills.has_gateway:
        for kid in revoked.keys:
            kills.revoke(f"key:{kid}", operator_name())
    return kills.has_gateway
