"""Counts of a kind of fault, as `make faults` prints them."""

from collections.abc import Collection
from dataclasses import dataclass

LONGEST = 600  # seconds that any one step may take, on a busy machine too


@dataclass
class Count:
    """Counts of one kind of fault.

    Attributes:
        fault: Its name.
        tried: How often it was brought about.
        acknowledged: Events, calls or tokens that were acknowledged.
        lost: How many of these are not on record.
        doubled: How many are on record more than once.
        wrong: Other things that do not hold, a line each.
    """

    fault: str
    tried: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was lost or doubled, and nothing else is wrong."""
        return self.tried > 0 and not (self.lost or self.doubled or self.wrong)

    def compare(self, acknowledged: Collection[str], recorded: list[str]) -> None:
        """Add what was acknowledged to what is on record."""
        found = set(recorded)
        self.acknowledged += len(acknowledged)
        self.lost += len(set(acknowledged) - found)
        self.doubled += len(recorded) - len(found)

    def complain(self, what: str) -> None:
        """Add something that does not hold."""
        self.wrong = (*self.wrong, what)

    def line(self) -> str:
        """Give the line of the table."""
        said = "holds" if self.holds else "DOES NOT HOLD"
        return (
            f"{self.fault:<44}{self.tried:>7,}{self.acknowledged:>13,}"
            f"{self.lost:>6,}{self.doubled:>9,}  {said}"
        )


HEAD = f"{'fault':<44}{'tried':>7}{'acknowledged':>13}{'lost':>6}{'doubled':>9}"
