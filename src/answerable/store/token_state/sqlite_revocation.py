"""Revocation in SQLite: delegations with descendants, tokens and tickets."""

from collections.abc import Callable
from typing import Any

from answerable.store.token_state.interface import Died

_END = "UPDATE delegation SET revoked = ? WHERE id = ? AND revoked = 0"
_END_TOKENS = """UPDATE token SET revoked = ?
    WHERE delegation = ? AND revoked = 0 AND expires >= ? RETURNING jti"""
_BELOW = "SELECT id FROM delegation WHERE parent = ? ORDER BY id"


def end(execute: Callable[..., Any], level: list[str], now: float) -> Died:
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
            if execute(_END, (stamp(now), id)).rowcount:
                delegations.append(id)
            beneath += (child for (child,) in execute(_BELOW, (id,)))
            died = execute(_END_TOKENS, (stamp(now), id, int(now))).fetchall()
            tokens += (jti for (jti,) in died)
            execute("DELETE FROM ticket WHERE parent = ?", (id,))
        level = beneath
    return Died(tuple(delegations), tuple(tokens))


def stamp(now: float) -> int:
    """Return the stored time of a revocation, never 0, which means not revoked."""
    return max(int(now), 1)
