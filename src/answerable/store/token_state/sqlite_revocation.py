"""Revocation in SQLite: delegations with descendants, tokens and tickets."""

from collections.abc import Callable
from typing import Any

from answerable.store.token_state.interface import RevokedDelegations

_REVOKE_DELEGATION = "UPDATE delegation SET revoked = ? WHERE id = ? AND revoked = 0"
_REVOKE_TOKENS = """UPDATE token SET revoked = ?
    WHERE delegation = ? AND revoked = 0 AND expires >= ? RETURNING jti"""
_SELECT_CHILDREN = "SELECT id FROM delegation WHERE parent = ? ORDER BY id"


def revoke_delegations(
    execute: Callable[..., Any], level: list[str], now: float
) -> RevokedDelegations:
    """Revoke delegations and their descendants, within the caller's transaction.

    Args:
        execute: Executes a statement.
        level: Ids of delegations.
        now: NumericDate.
    """
    delegations: list[str] = []
    tokens: list[str] = []
    ended: set[str] = set()
    while level:
        beneath: list[str] = []
        for id in level:
            if id in ended:
                continue
            ended.add(id)
            if execute(_REVOKE_DELEGATION, (revocation_time(now), id)).rowcount:
                delegations.append(id)
            beneath += (child for (child,) in execute(_SELECT_CHILDREN, (id,)))
            died = execute(
                _REVOKE_TOKENS, (revocation_time(now), id, int(now))
            ).fetchall()
            tokens += (jti for (jti,) in died)
            execute("DELETE FROM ticket WHERE parent = ?", (id,))
        level = beneath
    return RevokedDelegations(tuple(delegations), tuple(tokens))


def revocation_time(now: float) -> int:
    """Return the stored time of a revocation, never 0, which means not revoked."""
    return max(int(now), 1)
