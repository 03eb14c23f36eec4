"""Revoke delegations with their descendants, tokens and tickets, in SQL."""

from collections.abc import Callable
from typing import Any

from answerable.store.token_state.interface import RevokedDelegations

_REVOKE_DELEGATION = "UPDATE delegation SET revoked = ? WHERE id = ? AND revoked = 0"
_SELECT_CHILDREN = "SELECT id FROM delegation WHERE parent = ? ORDER BY id"
_REVOKE_TOKENS = """UPDATE token SET revoked = ?
    WHERE delegation = ? AND revoked = 0 AND expires >= ? RETURNING jti"""
_DELETE_TICKETS = "DELETE FROM ticket WHERE parent = ?"


def revoke_delegations(
    execute: Callable[[str, tuple[object, ...]], Any], ids: list[str], now: float
) -> RevokedDelegations:
    """Revoke delegations and their descendants, within the caller's transaction.

    Args:
        execute: Executes a statement with `?` for parameters.
        ids: Ids of delegations.
        now: NumericDate.
    """
    delegations: list[str] = []
    tokens: list[str] = []
    time = revocation_time(now)
    done: set[str] = set()
    while ids:
        children: list[str] = []
        for id in ids:
            if id in done:
                continue
            done.add(id)
            if execute(_REVOKE_DELEGATION, (time, id)).rowcount:
                delegations.append(id)
            # After the row is locked: this sees every child that a commit has inserted.
            children += (row[0] for row in execute(_SELECT_CHILDREN, (id,)).fetchall())
            revoked = execute(_REVOKE_TOKENS, (time, id, int(now))).fetchall()
            tokens += (row[0] for row in revoked)
            execute(_DELETE_TICKETS, (id,))
        ids = children
    return RevokedDelegations(tuple(delegations), tuple(tokens))


def revocation_time(now: float) -> int:
    """Return the stored time of a revocation, never 0, which means not revoked."""
    return max(int(now), 1)
