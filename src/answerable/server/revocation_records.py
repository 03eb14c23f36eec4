"""Store and read records of revocations and reinstatements in the store's log."""

import msgspec

from answerable.store.store import EvidenceStore

OBJECT_KIND = "kill"  # of the objects that say who did it


class RevocationRecord(msgspec.Struct):
    """Record of one revocation or reinstatement.

    Attributes:
        subject: Subject that was revoked or reinstated.
        by: Person on the web page, else user of the machine.
        how: Kind of sign-in; `command` for the command line.
        revived: It is a reinstatement.
        at: UTC nanoseconds.
        reason: Reason, empty without one.
        ended: Delegations that it ended; None where that is unknown.
    """

    subject: str
    by: str
    how: str
    revived: bool
    at: int
    reason: str = ""
    ended: int | None = None


def put_revocation_record(store: EvidenceStore, record: RevocationRecord) -> None:
    """Append a record of a revocation or reinstatement to the store.

    Raises:
        EnvironmentFailure: The store cannot be written.
    """
    store.put_object(OBJECT_KIND, msgspec.json.encode(record), record.at)


def read_revocation_records(
    store: EvidenceStore, max_records: int
) -> tuple[list[RevocationRecord], int]:
    """Read the newest records, newest first, and the number of all."""
    logged = store.list_objects(OBJECT_KIND)
    newest = [
        msgspec.json.decode(store.get_object(each.digest), type=RevocationRecord)
        for each in reversed(logged[-max_records:])
    ]
    return newest, len(logged)
