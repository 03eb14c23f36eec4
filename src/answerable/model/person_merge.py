"""Type of person merges: two ids that someone states belong to one person."""

from dataclasses import dataclass

from answerable.model.ids import PersonId
from answerable.model.provenance import WrittenBy


@dataclass(frozen=True, slots=True)
class PersonMerge:
    """Statement that two ids belong to one person; it changes lists only.

    It gives no permission, changes no owner and joins no keys.

    Attributes:
        person: The one id.
        other: The other id.
        by: Person who signed it, or author and kind of sign-in of one without a signature.
        written_by: `PERSON` for a signed one, else `SELF_REPORTED`.
        at: UTC nanoseconds.
        merged: False where the statement ends an earlier one.
        digest: Digest of a signed statement.
    """

    person: PersonId
    other: PersonId
    by: str
    written_by: WrittenBy
    at: int
    merged: bool = True
    digest: str = ""

    @property
    def pair(self) -> tuple[PersonId, PersonId]:
        """Return the ids in a fixed order."""
        first, second = sorted((self.person, self.other))
        return first, second
