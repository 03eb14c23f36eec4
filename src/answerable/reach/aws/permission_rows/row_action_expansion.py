"""Expand permission rows into single actions of the action catalogue."""

from collections.abc import Iterable, Iterator

from answerable.model.action_catalogue import ActionCatalogue, ActionEntry
from answerable.reach.aws.patterns.action_resource_matrix import (
    can_actions_act_on_resource_pattern,
)
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard, matches_glob
from answerable.reach.aws.patterns.pattern_set_algebra import PatternTerm
from answerable.reach.aws.permission_rows.row_types import PermissionRow


def list_services_of_rows(rows: Iterable[PermissionRow]) -> frozenset[str] | None:
    """List the AWS services of permission rows; None if one may be on any."""
    found = {row.actions.pattern.partition(":")[0] for row in rows}
    return frozenset(found) if all(map(has_no_wildcard, found)) else None


class ActionMatcher:
    """Matcher of action patterns against the catalogue; cached."""

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self._catalogue = catalogue
        self._matched: dict[str, frozenset[str]] = {}
        self._named: dict[str, ActionEntry] = {
            f"{service}:{name}": entry
            for service, held in catalogue.services.items()
            for name, entry in held.actions.items()
        }

    def list_actions_of_row(self, row: PermissionRow) -> Iterator[ActionEntry]:
        """List the actions of a row that can act on some of its resources."""
        for name in sorted(self.list_actions_matching_term(row.actions)):
            if can_actions_act_on_resource_pattern(
                self._catalogue, name, row.resources.pattern
            ):
                yield self._named[name]

    def list_actions_matching_term(self, term: PatternTerm[str]) -> frozenset[str]:
        """Return the actions that match a pattern and none of its exceptions."""
        return self.list_actions_matching_pattern(term.pattern).difference(
            *map(self.list_actions_matching_pattern, term.excluded)
        )

    def list_actions_matching_pattern(self, pattern: str) -> frozenset[str]:
        """Return the actions that match an encoded pattern in lower case."""
        found = self._matched.get(pattern)
        if found is None:
            service, _, _ = pattern.partition(":")
            loaded = self._catalogue.services.get(service)
            names: Iterable[str] = self._named
            if has_no_wildcard(service):
                names = (
                    [f"{service}:{name}" for name in loaded.actions] if loaded else ()
                )
            found = frozenset(name for name in names if matches_glob(pattern, name))
            self._matched[pattern] = found
        return found
