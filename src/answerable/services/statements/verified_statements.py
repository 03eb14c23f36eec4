"""Verification of the signed statements of one kind in a store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from answerable.evidence.signed_statements import Keys, StatementVoid
from answerable.model.owner_key import Placed, Verified
from answerable.services.statements import owner_keys
from answerable.store.object_store import LoggedObject
from answerable.store.store import Store

Check = Callable[[bytes, Keys, Placed, str], Verified]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Unheld:
    """Statement that is invalid.

    Attributes:
        digest: SHA-256 of the stored envelope, hex.
    """

    digest: str
    why: str


def unheld(logged: LoggedObject, void: StatementVoid) -> Unheld:
    """Build the record of an invalid statement, with no more than the reason."""
    return Unheld(logged.digest, void.message)


def verify_statements(
    store: Store,
    kind: str,
    check: Check,
    void: Callable[[LoggedObject, StatementVoid], Made],
    *,
    since: int = 0,
) -> tuple[tuple[Verified, ...], tuple[Made, ...]]:
    """Verify the statements of a kind, each once at its first position in the log.

    Args:
        kind: Kind of the stored objects.
        void: Builds the result for an invalid statement.
        since: UTC nanoseconds; earlier records are skipped.

    Returns:
        Valid statements, and the results for invalid ones; both in log order.

    Raises:
        VerificationError: A stored object was changed.
    """
    known, here = owner_keys.keys(store), owner_keys.identity(store)
    held: dict[str, Verified] = {}
    rest: dict[str, Made] = {}
    for each in store.objects(kind):
        if each.at < since:
            continue
        data = owner_keys.kept(store, each.digest)
        try:
            found = check(data, known, Placed(each.index, each.at), here)
        except StatementVoid as error:
            rest.setdefault(each.digest, void(each, error))
        else:
            held.setdefault(found.digest, found)
    return tuple(held.values()), tuple(rest.values())
