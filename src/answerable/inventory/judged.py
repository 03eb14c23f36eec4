"""Owners judged on demand: the evidence of every subject, scored when it is read.

Scoring 100,000 subjects takes seconds, and most questions are about one of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from answerable.inventory.owners import assign
from answerable.inventory.people import People
from answerable.model.person import EvidenceKind, OwnerEvidence, Ownership

TAGS = (EvidenceKind.OWNER_TAG, EvidenceKind.TEAM_TAG)


@dataclass(frozen=True, slots=True)
class OwnerRecords:
    """Evidence about one subject, independent of time.

    Attributes:
        evidence: Said of it, or flowing to it.
        writes_own_tags: True when the subject, or an identity it acts through, may set
            the tags that the evidence rests on.
    """

    evidence: tuple[OwnerEvidence, ...]
    writes_own_tags: bool = False

    def is_discredited(self, item: OwnerEvidence) -> bool:
        """Tell whether the subject could have written a record itself.

        A recorded confirmation is self-reported, and its state says what it is worth.
        """
        if item.kind is EvidenceKind.CONFIRMATION:
            return False
        if not item.seen.written_by.believed:
            return True
        return item.kind in TAGS and self.writes_own_tags


class JudgedOwners(Mapping[str, Ownership]):
    """Owner of each subject at one moment, judged when it is first read."""

    def __init__(
        self, records: Mapping[str, OwnerRecords], people: People, now: int
    ) -> None:
        """Take the evidence; nothing is judged yet.

        Args:
            records: Evidence by subject, iterated in the order of subjects.
            people: Persons with aliases merged.
            now: The moment at which evidence has its age, UTC nanoseconds.
        """
        self.records = records
        self.people = people
        self._now = now
        self._judged: dict[str, Ownership] = {}

    def at(self, now: int) -> "JudgedOwners":
        """Judge the same evidence at another moment."""
        return JudgedOwners(self.records, self.people, now)

    def __getitem__(self, subject: str) -> Ownership:
        found = self._judged.get(subject)
        if found is None:
            records = self.records[subject]
            found = assign(
                subject,
                records.evidence,
                people=self.people,
                now=self._now,
                discredited=records.is_discredited,
            )
            self._judged[subject] = found
        return found

    def __contains__(self, subject: object) -> bool:
        return subject in self.records

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)
