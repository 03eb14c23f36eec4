"""Who wrote a fact: set by the connector instance, never by the record itself."""

from dataclasses import dataclass
from enum import StrEnum


class WrittenBy(StrEnum):
    """The four classes of the threat model.

    Only the first three may make a hop observed, feed learning, explain an entity or
    change ownership. What is self-reported is shown, never believed.
    """

    PLATFORM = "platform"
    MEDIATOR = "mediator"
    PERSON = "person"
    SELF_REPORTED = "self-reported"

    @property
    def believed(self) -> bool:
        """Tell whether a fact of this class may carry weight."""
        return self is not WrittenBy.SELF_REPORTED


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a fact comes from.

    Attributes:
        source: The sync's source as the user named it, e.g. `home:/home/ana`.
        place: File path with a pointer (`/home/ana/.claude.json#/mcpServers/db`) or
            API call (`iam:ListAccessKeys`).
        written_by: Who could have written it.
        at: When it was observed, UTC nanoseconds.
    """

    source: str
    place: str
    written_by: WrittenBy
    at: int
