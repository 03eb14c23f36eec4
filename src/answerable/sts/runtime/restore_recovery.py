"""Recovery of a token service whose database was restored from an older copy."""

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


def open_record(plan: StsSettings, now: float, log: OperatorLog) -> TokenState:
    """Open the database; after a restore, revoke what may be lost.

    Args:
        now: NumericDate.

    Raises:
        EnvironmentFailure: It cannot be used, or is of a newer release.
    """
    control = open_token_state(plan.state, now, plan.service.database)
    try:
        ended = revoke_if_restored(control, plan.state, now)
    except BaseException:
        control.close()
        raise
    if ended is not None:
        _log_restore(plan, ended, log)
    return control


def close_record(control: TokenState, count_up: Callable[[], None]) -> None:
    """Increment the generation, so that earlier copies are older, and close."""
    with suppress(AnswerableError):  # it is counted up at the next start as well
        count_up()
    control.close()


def _log_restore(
    plan: StsSettings, ended: RestoreRevocations, log: OperatorLog
) -> None:
    log.error(
        "control.restored",
        epoch=ended.epoch,
        delegations=ended.delegations,
        tokens=ended.tokens,
        keys=list(ended.keys),
    )
    try:
        revoke_at_gateways(plan, ended)
    except AnswerableError as error:
        log.error("control.keys-not-killed-at-gateways", why=error.message)


def revoke_at_gateways(plan: StsSettings, ended: RestoreRevocations) -> bool:
    """Revoke the keys at the gateways of the same file.

    Returns:
        False if the file names no gateway.
    """
    kills = RevocationService(plan.store, plan.config)
    if kills.has_gateway:
        for kid in ended.keys:
            kills.revoke(f"key:{kid}", operator_name())
    return kills.has_gateway
