"""Compute the owner of a subject on first use, since scoring all takes seconds.

Scoring 100,000 subjects takes seconds, and most questions are about one subject.
"""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass

from answerable.inventory.person_directory import PersonDirectory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, SubjectOwnership

_MOST_KEPT = 16_384  # owners that stay in memory
TAG_EVIDENCE_KINDS = (OwnerEvidenceKind.OWNER_TAG, OwnerEvidenceKind.TEAM_TAG)


@dataclass(frozen=True, slots=True)
class SubjectEvidence:
    """Evidence about one subject, independent of time.

    Attributes:
        evidence: Own and inherited evidence.
        writes_own_tags: True if the subject, or an identity it acts through, may set
            the tags that the evidence depends on.
    """

    evidence: tuple[OwnerEvidence, ...]
    writes_own_tags: bool = False

    def may_be_self_written(self, item: OwnerEvidence) -> bool:
        """Return whether the subject may have written a record itself.

        A confirmation is self-reported by definition, so it is never discredited here.
        """
        if item.kind is OwnerEvidenceKind.CONFIRMATION:
            return False
        if not item.seen.written_by.is_trusted_author:
            return True
        return item.kind in TAG_EVIDENCE_KINDS and self.writes_own_tags


class LazyOwnership(Mapping[str, SubjectOwnership]):
    """Owner of each subject at one time, computed on first use."""

    def __init__(
        self, records: Mapping[str, SubjectEvidence], people: PersonDirectory, now: int
    ) -> None:
        """Store the evidence without scoring it.

        Args:
            records: Evidence by subject, iterated in the order of subjects.
            people: Persons with aliases merged.
            now: Time at which the age of evidence is computed, UTC nanoseconds.
        """
        self.records = records
        self.people = people
        self._now = now
        self._judged: dict[str, SubjectOwnership] = {}

    def with_owners_at_time(self, now: int) -> "LazyOwnership":
        """Return the owners at another time, from the same evidence."""
        return LazyOwnership(self.records, self.people, now)

    def __getitem__(self, subject: str) -> SubjectOwnership:
        found = self._judged.get(subject)
        if found is None:
            found = self._assess_owner(subject, self.records[subject])
            if len(self._judged) >= _MOST_KEPT:
                self._judged.clear()
            self._judged[subject] = found
        return found

    def iterate_owners(
        self, kind: OwnerEvidenceKind | None = None
    ) -> Iterator[tuple[str, SubjectOwnership]]:
        """Yield the owners in the order of the records; of many, none is kept.

        Args:
            kind: Only of subjects with evidence of this kind.
        """
        few = len(self.records) <= _MOST_KEPT
        for subject, records in self.records.items():
            if kind is None or any(each.kind is kind for each in records.evidence):
                owner = self[subject] if few else self._assess_owner(subject, records)
                yield subject, owner

    def _assess_owner(self, subject: str, records: SubjectEvidence) -> SubjectOwnership:
        """Compute the owner of a subject from its evidence."""
        from answerable.inventory.ownership_score import assign_owner

        return assign_owner(
            subject,
            records.evidence,
            people=self.people,
            now=self._now,
            is_self_written=records.may_be_self_written,
        )

    def items(self) -> ItemsView[str, SubjectOwnership]:
        """Return all owners by subject, each computed when it is read."""
        return _OwnerItems(self)

    def values(self) -> ValuesView[SubjectOwnership]:
        """Return all owners, each computed when it is read."""
        return _OwnerValues(self)

    def __contains__(self, subject: object) -> bool:
        return subject in self.records

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


class _OwnerItems(ItemsView[str, SubjectOwnership]):
    """Owners by subject, in the order of the records."""

    def __init__(self, owners: LazyOwnership) -> None:
        super().__init__(owners)
        self._owners = owners

    def __iter__(self) -> Iterator[tuple[str, SubjectOwnership]]:
        return self._owners.iterate_owners()


class _OwnerValues(ValuesView[SubjectOwnership]):
    """Owners in the order of the records."""

    def __init__(self, owners: LazyOwnership) -> None:
        super().__init__(owners)
        self._owners = owners

    def __iter__(self) -> Iterator[SubjectOwnership]:
        return (owner for _, owner in self._owners.iterate_owners())
