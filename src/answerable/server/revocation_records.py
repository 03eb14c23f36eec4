"""Record of a revocation or reinstatement in the store's log."""

import msgspec

from answerable.store.store import Store

KIND = "kill"  # of the objects that say who did it


class KillRecord(msgspec.Struct):
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


def put_record(store: Store, record: KillRecord) -> None:
    """Store a record.

    Raises:
        EnvironmentRefused: The store cannot be written.
    """
    store.put_object(KIND, msgspec.json.encode(record), record.at)


def read_records(store: Store, most: int) -> tuple[list[KillRecord], int]:
    """Read the newest records, newest first, and the number of all."""
    logged = store.objects(KIND)
    newest = [
        msgspec.json.decode(store.get_object(each.digest), type=KillRecord)
        for each in reversed(logged[-most:])
    ]
    return newest, len(logged)
