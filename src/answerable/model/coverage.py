"""Coverage: where what was collected was collected."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A word of coverage that holds, whole, in one place.

    Of what a word speaks elsewhere nothing is known: what was collected in one account
    says nothing of another.

    Attributes:
        word: Of `Sync.collected`: `boundaries`, `scp`, `resource-policies` ...
        account: Its number.
        region: Where the API was asked; empty where it has one answer for all regions.
        service: Whose resources; empty where the word is not of one service.
    """

    word: str
    account: str
    region: str = ""
    service: str = ""
