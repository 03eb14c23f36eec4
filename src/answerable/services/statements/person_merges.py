"""Read person merges of a store: signed ones, verified on every read, and unsigned ones."""

import msgspec

from answerable.evidence.person_merges import PERSON_MERGE_SHAPE, build_person_merge
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import MAX_CLOCK_SKEW
from answerable.model.person import PersonMerge
from answerable.model.provenance import WrittenBy
from answerable.services.statements.signed_statements import (
    SignedStatements,
    StatementReading,
)
from answerable.store.store import EvidenceStore

SIGNED_MERGE = "signed-person-merge"  # kinds of the objects
UNSIGNED_MERGE = "person-merge"


class UnsignedMergeRecord(msgspec.Struct, frozen=True):
    """Merge, or the end of one, as an author of a web session recorded it."""

    person: str
    other: str
    by: str
    at: int
    merged: bool = True


class PersonMergeReader(SignedStatements[PersonMerge]):
    """Cached reader of the signed merges of one store.

    Each enrolled person may state a merge: it names the person and gives no permission.
    """

    kind = SIGNED_MERGE
    shape = PERSON_MERGE_SHAPE
    item = PersonMerge

    def select(self, now: int) -> StatementReading[PersonMerge]:
        """Select the newest statement of each pair, merges and ends alike."""
        newest: dict[tuple[PersonId, PersonId], PersonMerge] = {}
        for each in map(build_person_merge, self._verified):
            if each.at - MAX_CLOCK_SKEW <= now:
                newest[each.pair] = each
        return StatementReading(tuple(newest.values()), self._rejected)


def put_unsigned_merge(store: EvidenceStore, merge: PersonMerge) -> None:
    """Append a merge without a signature to the store.

    Raises:
        EnvironmentFailure: The store cannot be written.
    """
    record = UnsignedMergeRecord(
        merge.person, merge.other, merge.by, merge.at, merge.merged
    )
    store.put_object(UNSIGNED_MERGE, msgspec.json.encode(record), merge.at)


def read_person_merges(store: EvidenceStore, now: int) -> tuple[PersonMerge, ...]:
    """Read the merges in force, sorted by their ids.

    The newest statement of a pair applies. One without a signature neither ends nor
    replaces a signed merge.

    Raises:
        VerificationError: The log or an object in it was changed.
    """
    found: dict[tuple[PersonId, PersonId], PersonMerge] = {}
    for logged in store.list_objects(UNSIGNED_MERGE):
        data = store.get_object(logged.digest)
        record = msgspec.json.decode(data, type=UnsignedMergeRecord)
        merge = PersonMerge(
            PersonId(record.person),
            PersonId(record.other),
            record.by,
            WrittenBy.SELF_REPORTED,
            record.at,
            record.merged,
        )
        found[merge.pair] = merge
    for signed in PersonMergeReader.open(store).read(now).active:
        earlier = found.get(signed.pair)
        if signed.merged or earlier is None or earlier.at < signed.at:
            found[signed.pair] = signed
    return tuple(found[pair] for pair in sorted(found) if found[pair].merged)
