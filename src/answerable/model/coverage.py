"""Type of the coverage of collected data: by kind, account, region and service."""

from dataclasses import dataclass


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
