"""Persons and teams that no source lists, and only evidence of ownership names."""

from collections.abc import ItemsView, Iterable
from dataclasses import dataclass

from answerable.model.ids import PersonId
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance


@dataclass(slots=True)
class ImpliedPerson:
    """Person, or team, that evidence names; see `ImpliedPersons`."""

    seen: FactProvenance
    is_trusted: bool
    is_team: bool


class ImpliedPersons:
    """Persons and teams that evidence names, which may be added in parts."""

    def __init__(self) -> None:
        """Begin without any."""
        self._found: dict[PersonId, ImpliedPerson] = {}

    def add(self, evidence: Iterable[OwnerEvidence]) -> None:
        """Add the persons that some evidence names.

        Trusted evidence alone decides whether it is a team, if there is any.
        """
        for item in evidence:
            seen, is_trusted = item.seen, item.seen.written_by.is_trusted_author
            is_team = item.kind is OwnerEvidenceKind.TEAM_TAG
            known = self._found.get(item.person)
            if known is None:
                self._found[item.person] = ImpliedPerson(seen, is_trusted, is_team)
                continue
            if _get_age_sort_key(seen) < _get_age_sort_key(known.seen):
                known.seen = seen
            if is_trusted == known.is_trusted:
                known.is_team = known.is_team and is_team
            elif is_trusted:
                known.is_trusted, known.is_team = True, is_team

    def items(self) -> ItemsView[PersonId, ImpliedPerson]:
        """Return the persons, in the order in which they were first named."""
        return self._found.items()


def _get_age_sort_key(seen: FactProvenance) -> tuple[int, str, str, str]:
    """Return the sort key of a provenance: the oldest first."""
    return seen.at, seen.source, seen.place, seen.written_by
