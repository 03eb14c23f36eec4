"""Legal holds: events that no retention and no erasure removes.

Placing and releasing a hold are objects in the log, of kinds `hold` and `hold-release`.
"""

from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import UsageError, VerificationError
from answerable.store.row_conditions import (
    ALL_ROWS,
    RowCondition,
    build_person_condition,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

HOLD_KIND = "hold"
RELEASE_KIND = "hold-release"
_ID_DIGITS = 12


class LegalHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events that must be kept; an empty field matches all.

    Attributes:
        reason: Reason in the words of the person who placed it.
        since: First day, `YYYY-MM-DD`.
        until: Last day, `YYYY-MM-DD`.
        source: Log source.
        person: Id of a person; events that mention this person.
        at: UTC nanoseconds as a decimal string.
        schema: `answerable/hold/v1`.
    """

    reason: str
    since: str = ""
    until: str = ""
    source: str = ""
    person: str = ""
    at: str = ""
    schema: str = "answerable/hold/v1"

    def covers_day(self, day: str) -> bool:
        """Return whether events of a day may be held."""
        return (not self.since or self.since <= day) and (
            not self.until or day <= self.until
        )

    def build_condition(self) -> RowCondition:
        """Build the SQL condition of held rows, within the held days."""
        condition = ALL_ROWS
        if self.source:
            condition &= RowCondition("source = ?", (self.source,))
        if self.person:
            condition &= build_person_condition([self.person])
        return condition


class HoldRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Release of a hold.

    Attributes:
        hold: Digest of the hold, hex.
        reason: Reason in the words of the person who released it.
        at: UTC nanoseconds as a decimal string.
        schema: `answerable/hold-release/v1`.
    """

    hold: str
    reason: str
    at: str
    schema: str = "answerable/hold-release/v1"


def place_hold(store: "EvidenceStore", hold: LegalHold, now: int) -> str:
    """Place a hold, and return its id.

    Raises:
        EnvironmentFailure: The disk failed; nothing is held.
    """
    placed = msgspec.structs.replace(hold, at=str(now))
    return store.put_object(HOLD_KIND, msgspec.json.encode(placed), now)[:_ID_DIGITS]


def release_hold(store: "EvidenceStore", hold_id: str, reason: str, now: int) -> None:
    """Release a hold.

    Raises:
        UsageError: No hold in force has this id.
    """
    found = [d for d in read_holds(store) if hold_id and d.startswith(hold_id.lower())]
    if len(found) != 1:
        raise UsageError(
            f"no single hold in force has the id {hold_id[:64]!r} (got {len(found)})",
            "list holds: answerable store holds",
        )
    release = HoldRelease(found[0], reason, str(now))
    store.put_object(RELEASE_KIND, msgspec.json.encode(release), now)


def read_holds(store: "EvidenceStore") -> dict[str, LegalHold]:
    """Read the holds in force, by digest.

    Raises:
        VerificationError: A hold or a release cannot be read: nothing may be removed.
    """
    try:
        released = {
            msgspec.json.decode(store.get_object(each.digest), type=HoldRelease).hold
            for each in store.list_objects(RELEASE_KIND)
        }
        return {
            each.digest: msgspec.json.decode(
                store.get_object(each.digest), type=LegalHold
            )
            for each in store.list_objects(HOLD_KIND)
            if each.digest not in released
        }
    except (msgspec.MsgspecError, UnicodeDecodeError, UsageError) as error:
        raise VerificationError(
            "a legal hold cannot be read, so nothing may be removed",
            "find the damage with: answerable evidence verify",
        ) from error
