"""Types of provenance: the source of a fact, and who could have written it."""

from dataclasses import dataclass
from enum import StrEnum


class WrittenBy(StrEnum):
    """Author class of a fact, one of the four in the threat model.

    Only the first three may make a hop observed, feed learning, explain an entity or
    change ownership. Self-reported facts are shown, never trusted.
    """

    PLATFORM = "platform"
    MEDIATOR = "mediator"
    PERSON = "person"
    SELF_REPORTED = "self-reported"

    @property
    def is_trusted_author(self) -> bool:
        """Return whether the fact is not self-reported by what it describes."""
        return self is not WrittenBy.SELF_REPORTED


@dataclass(frozen=True, slots=True)
class FactProvenance:
    """Provenance of a fact: source, place, author class and time.

    Attributes:
        source: The sync's source as the user named it, e.g. `home:/home/ana`.
        place: File path with a pointer (`/home/ana/.claude.json#/mcpServers/db`) or
            API call (`iam:ListAccessKeys`).
        written_by: Possible author.
        at: Observation time, UTC nanoseconds.
    """

    source: str
    place: str
    written_by: WrittenBy
    at: int
