"""The record of a kill or a revival in the log of the store: one, wherever it came from."""

import msgspec

from answerable.store.store import Store

KIND = "kill"  # of the objects that say who did it


class KillRecord(msgspec.Struct):
    """Facts about one act.

    Attributes:
        subject: The subject that was killed or revived.
        by: Who did it: a person where the page knows one, else a user of the machine.
        how: How they signed in; `command` for the command line.
        revived: It was taken back.
        at: UTC nanoseconds.
        reason: Why, empty where none was given.
        ended: Delegations that ended by it; None where that is not known.
    """

    subject: str
    by: str
    how: str
    revived: bool
    at: int
    reason: str = ""
    ended: int | None = None


def put_record(store: Store, record: KillRecord) -> None:
    """Keep the record of an act.

    Raises:
        EnvironmentRefused: The store cannot be written.
    """
    store.put_object(KIND, msgspec.json.encode(record), record.at)


def read_records(store: Store, most: int) -> tuple[list[KillRecord], int]:
    """Read the newest records, newest first, and say how many there are."""
    logged = store.objects(KIND)
    newest = [
        msgspec.json.decode(store.get_object(each.digest), type=KillRecord)
        for each in reversed(logged[-most:])
    ]
    return newest, len(logged)
