"""Recovery of a token service whose database was restored from an older copy."""

from collections.abc import Callable
from contextlib import suppress

from answerable.model.errors import AnswerableError
from answerable.server.operator_log import Log
from answerable.server.revocation_service import Kills, operator
from answerable.store.token_state.interface import Control
from answerable.store.token_state.open_state import open_control
from answerable.store.token_state.restore_detection import Ended, end_if_older
from answerable.sts.runtime.settings import Plan


def open_checked(plan: Plan, now: float, log: Log) -> Control:
    """Open the database; after a restore, revoke what may be lost.

    Args:
        now: NumericDate.

    Raises:
        EnvironmentRefused: It cannot be used, or is of a newer release.
    """
    control = open_control(plan.state, now, plan.service.database)
    try:
        ended = end_if_older(control, plan.state, now)
    except BaseException:
        control.close()
        raise
    if ended is not None:
        _log_ended(plan, ended, log)
    return control


def close_counted(control: Control, count_up: Callable[[], None]) -> None:
    """Increment the generation, so that earlier copies are older, and close."""
    with suppress(AnswerableError):  # it is counted up at the next start as well
        count_up()
    control.close()


def _log_ended(plan: Plan, ended: Ended, log: Log) -> None:
    log.error(
        "control.restored",
        epoch=ended.epoch,
        delegations=ended.delegations,
        tokens=ended.tokens,
        keys=list(ended.keys),
    )
    try:
        kill_at_gateways(plan, ended)
    except AnswerableError as error:
        log.error("control.keys-not-killed-at-gateways", why=error.message)


def kill_at_gateways(plan: Plan, ended: Ended) -> bool:
    """Revoke the keys at the gateways of the same file.

    Returns:
        False if the file names no gateway.
    """
    kills = Kills(plan.store, plan.config)
    if kills.has_gateway:
        for kid in ended.keys:
            kills.kill(f"key:{kid}", operator())
    return kills.has_gateway
