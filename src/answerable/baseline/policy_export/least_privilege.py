"""Derive the smallest AWS statements that allow observed actions.

Each statement is a part of one that the identity has today: the observed action, on the
observed resource, under the same conditions. So it never allows more than today, and one
more event never shrinks it. Statements that deny stay.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.baseline.policy_export.aws_limits import has_forbidden_characters
from answerable.baseline.policy_export.aws_resources import (
    ANY_RESOURCE,
    escape_resource,
    is_resource_of_action,
    matches_arn_pattern,
)
from answerable.baseline.policy_export.aws_statements import build_allow_statement
from answerable.baseline.policy_export.statement_matching import (
    find_matching_patterns,
    list_variable_free,
    matches_action,
)
from answerable.model.action_catalogue import ActionCatalogue, ActionEntry
from answerable.model.observed_action import ObservedAction
from answerable.model.policy import PolicyEffect, Statement
from answerable.model.policy_export import ClauseReason, OmittedClause

_SERVICE = 2  # place in an ARN


@dataclass(slots=True)
class LeastPrivilegeCompiler:
    """Compiler of observed actions to statements.

    Attributes:
        catalogue: Actions of all services that were called.
        today: Statements of the identity's own policies; None if they are not known.
        is_partial: Whether a policy of the identity was not collected or not understood.
        omitted: Observed actions, or resources of them, that no statement allows.
    """

    catalogue: ActionCatalogue
    today: Sequence[Statement] | None
    is_partial: bool = False
    omitted: set[OmittedClause] = field(default_factory=set)

    def list_statements(self, observed: Iterable[ObservedAction]) -> list[Statement]:
        """List the statements that allow observed actions, and all that deny today.

        A deny about other actions is kept, too: policies of resources and trust
        policies may allow them.
        """
        found: list[Statement] = []
        for each in observed:
            action = self.catalogue.find_action(each.action)
            if action is None:
                self._record_omitted_action(
                    ClauseReason.NO_ACTION, each.action, "unknown to IAM"
                )
                continue
            found += self._yield_action_statements(action, each)
        denies = (d for d in self.today or () if d.effect is PolicyEffect.DENY)
        return [*found, *(replace(each, sid="") for each in denies)]

    def _yield_action_statements(
        self, action: ActionEntry, observed: ObservedAction
    ) -> Iterator[Statement]:
        """Yield the statements of one action."""
        if action.takes_only_wildcard_resource:
            yield from self._allow_on(action, ANY_RESOURCE)
            return
        for resource in sorted(observed.resources):
            if has_forbidden_characters(resource):
                self._record_omitted_action(
                    ClauseReason.NOT_EXPRESSIBLE, str(action), resource
                )
            else:
                yield from self._allow_on(action, resource)
        if observed.has_unnamed:
            yield from self._allow_types(action, ())
            return
        missing = {
            each
            for named in observed.resource_sets
            for each in self._list_unnamed_types(action, named)
        }
        if missing:
            yield from self._allow_types(action, sorted(missing))

    def _allow_on(self, action: ActionEntry, resource: str) -> Iterator[Statement]:
        """Yield the statements that allow an action on one resource, as today."""
        name = str(action)
        exact = resource if resource == ANY_RESOURCE else escape_resource(resource)
        if self.today is None:
            yield build_allow_statement([name], [exact])
            return
        conditional: list[Statement] = []
        for each in self._list_grants(name):
            patterns = find_matching_patterns(each, resource)
            rest = each.not_resources
            if patterns and len(list_variable_free(rest)) < len(rest):
                conditional.append(
                    build_allow_statement([name], (), each.conditions, rest)
                )
                continue
            plain = [exact] if list_variable_free(patterns) else patterns
            if plain == [exact] and not each.conditions:
                yield build_allow_statement([name], [exact])
                return
            if patterns:
                conditional.append(
                    build_allow_statement([name], plain, each.conditions)
                )
        yield from conditional
        if not conditional:
            self._record_not_granted(name, resource)

    def _allow_types(
        self, action: ActionEntry, types: Sequence[str]
    ) -> Iterator[Statement]:
        """Yield the statements of today on resources that no log names.

        Args:
            types: Resource types; empty for all types of the action.
        """
        name = str(action)
        written = [self._get_type_pattern(action, each) for each in types]
        whole = written or [ANY_RESOURCE]
        if self.today is None:
            yield build_allow_statement([name], whole)
            return
        found = False
        for each in self._list_grants(name):
            if each.not_resources:
                rest = each.not_resources
                yield build_allow_statement([name], (), each.conditions, rest)
                found = True
                continue
            kept: set[str] = set()
            for pattern in each.resources:
                if pattern == ANY_RESOURCE:
                    kept.update(whole)
                elif self._may_be_of_types(action, pattern, types):
                    kept.add(pattern)
            if kept:
                yield build_allow_statement([name], sorted(kept), each.conditions)
                found = True
        if not found:
            self._record_not_granted(name, "a resource that no log names")

    def _record_not_granted(self, action: str, resource: str) -> None:
        """Record a call that no known statement of today allows."""
        why = "not allowed by its own policies today"
        if self.is_partial:
            why = (
                "not allowed by its policies as far as they are known; a policy was not "
                "collected or not understood"
            )
        self._record_omitted_action(
            ClauseReason.WOULD_WIDEN, action, f"{resource} ({why})"
        )

    def _list_grants(self, action: str) -> Iterator[Statement]:
        """Yield the statements of today that allow an action on something."""
        for each in self.today or ():
            if each.effect is PolicyEffect.ALLOW and matches_action(each, action):
                yield each

    def _list_unnamed_types(
        self, action: ActionEntry, named: Collection[str]
    ) -> list[str]:
        """List the types of which a call needs a resource that the log does not name."""
        if len(action.required_types) < 2:
            return []
        return [
            each
            for each in action.required_types
            if not any(
                matches_arn_pattern(self._get_type_pattern(action, each), resource)
                for resource in named
            )
        ]

    def _get_type_pattern(self, action: ActionEntry, name: str) -> str:
        """Return the ARN pattern of a resource type, in the partition `aws`."""
        types = self.catalogue.services[action.service].resource_types
        return (
            types[name].arn.replace("arn:*:", "arn:aws:", 1) if name in types else "*"
        )

    def _may_be_of_types(
        self, action: ActionEntry, pattern: str, types: Sequence[str]
    ) -> bool:
        """Return whether a pattern may contain resources of some types of an action."""
        parts = pattern.split(":", 5)
        if len(parts) < 6 or "*" in parts[_SERVICE] or "?" in parts[_SERVICE]:
            return True
        if is_resource_of_action(self.catalogue, action, pattern):
            return True
        wanted = types or action.resource_types
        known = [self._get_type_pattern(action, each) for each in wanted]
        services = {each.split(":", 3)[_SERVICE] for each in known if ":" in each}
        return "*" in parts[5] and parts[_SERVICE] in services

    def _record_omitted_action(
        self, reason: ClauseReason, action: str, text: str
    ) -> None:
        """Record an observed action, or a resource of it, that is not allowed."""
        self.omitted.add(OmittedClause(reason, "", action, text))
