"""Types of the coverage of collected data, and of what could not be read."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class CoverageScope:
    """Coverage scope: one kind of fact, completely collected in one place.

    Nothing is known outside this scope: data collected in one account says nothing
    about another.

    Attributes:
        word: Kind from `Sync.collected`: `boundaries`, `scp`, `resource-policies` ...
        account: Account number.
        region: Region of the API call; empty for a global API.
        service: Service of the resources; empty for a kind of all services.
    """

    word: str
    account: str
    region: str = ""
    service: str = ""


class ReadProblemKind(StrEnum):
    """Kind of a read problem."""

    INVALID = "invalid"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    PERMISSION = "permission"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """Existing thing that could not be read, which makes the sync partial.

    Attributes:
        place: File or API call.
        what: One line without any value.
    """

    kind: ReadProblemKind
    place: str
    what: str
