"""Verify all signed statements of one kind in a store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from answerable.evidence.signed_statements import InvalidStatement, OwnerKeys
from answerable.model.owner_signing_key import LogPosition, VerifiedStatement
from answerable.services.statements import owner_keys
from answerable.store.object_store import LoggedObject
from answerable.store.store import EvidenceStore

TOOLS_APPROVAL = "tools-approval"  # kind of the stored objects

StatementCheck = Callable[[bytes, OwnerKeys, LogPosition, str], VerifiedStatement]
RejectedItem = TypeVar("RejectedItem")


@dataclass(frozen=True, slots=True)
class RejectedStatement:
    """Statement that is invalid.

    Attributes:
        digest: SHA-256 of the stored envelope, hex.
    """

    digest: str
    why: str


def build_rejected_statement(
    logged: LoggedObject, invalid: InvalidStatement
) -> RejectedStatement:
    """Build the record of an invalid statement: its digest and the reason."""
    return RejectedStatement(logged.digest, invalid.message)


def verify_statements(
    store: EvidenceStore,
    kind: str,
    check: StatementCheck,
    build_rejected_item: Callable[[LoggedObject, InvalidStatement], RejectedItem],
    *,
    since: int = 0,
) -> tuple[tuple[VerifiedStatement, ...], tuple[RejectedItem, ...]]:
    """Verify the statements of a kind, each once at its first position in the log.

    Args:
        kind: Kind of the stored objects.
        build_rejected_item: Builds the result for an invalid statement.
        since: UTC nanoseconds; earlier records are skipped.

    Returns:
        Valid statements, and the results for invalid ones; both in log order.

    Raises:
        VerificationError: A stored object was changed.
    """
    known, here = owner_keys.read_owner_keys(store), owner_keys.get_store_id(store)
    held: dict[str, VerifiedStatement] = {}
    rest: dict[str, RejectedItem] = {}
    for each in store.list_objects(kind):
        if each.at < since:
            continue
        data = owner_keys.load_statement(store, each.digest)
        try:
            found = check(data, known, LogPosition(each.index, each.at), here)
        except InvalidStatement as error:
            rest.setdefault(each.digest, build_rejected_item(each, error))
        else:
            held.setdefault(found.digest, found)
    return tuple(held.values()), tuple(rest.values())
