"""Derive AWS statements from a profile that was learned from cloud events."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.baseline.policy_export.aws_limits import has_forbidden_characters
from answerable.baseline.policy_export.aws_resources import (
    ANY_RESOURCE,
    build_resource_pattern,
    is_resource_of_action,
)
from answerable.baseline.policy_export.aws_statements import build_allow_statement
from answerable.baseline.policy_export.profile_clauses import list_inexpressible_clauses
from answerable.model.action_catalogue import ActionCatalogue, ActionEntry
from answerable.model.baseline import BaselineProfile, EntityPattern
from answerable.model.policy import Statement
from answerable.model.policy_export import ClauseReason, OmittedClause

CLOUD_SERVER = "cloud"  # server name of profiles that were learned from cloud events
# Beginnings of actions that give a caller the permissions of another identity.
_SESSION_ACTIONS = ("sts:assume", "sts:getfederationtoken", "sts:getsessiontoken")
_READS = ("Read", "List")

ActionsOfCall = Mapping[str, Sequence[str]]  # logged call -> IAM actions


def is_privileged_action(action: ActionEntry) -> bool:
    """Return whether an action can give further permissions: sessions, roles, IAM."""
    name = str(action).lower()
    is_iam_write = action.service == "iam" and action.access not in _READS
    return is_iam_write or name.startswith(_SESSION_ACTIONS)


@dataclass(slots=True)
class AwsProfileCompiler:
    """Compiler of one profile to AWS statements, with the clauses that it omits.

    Attributes:
        catalogue: Actions of all services that the profile names.
        actions_of_call: IAM actions of logged calls that have another name or several.
        is_signed: Whether the owner signed the profile; privileged actions need it.
        any_resource: Actions that a person allows on every resource if none is known.
    """

    profile: BaselineProfile
    catalogue: ActionCatalogue
    actions_of_call: ActionsOfCall
    is_signed: bool = False
    any_resource: Collection[str] = ()
    omitted: set[OmittedClause] = field(default_factory=set)

    def list_statements(self) -> list[Statement]:
        """List the statements, and collect the clauses that they lack."""
        patterns: dict[str, list[EntityPattern]] = defaultdict(list)
        for entry in self.profile.entities:
            patterns[entry.tool].append(entry.pattern)
        prefix = f"{CLOUD_SERVER}/"
        self.omitted.update(list_inexpressible_clauses(self.profile))
        found: list[Statement] = []
        for tool in dict.fromkeys(each.tool for each in self.profile.capabilities):
            if not tool.startswith(prefix):
                self._record_omitted_clause(
                    ClauseReason.NO_ACTION, "L1", tool, "not a cloud action"
                )
                continue
            call = tool.removeprefix(prefix)
            for action in self._list_actions(call):
                found += self._allow_action(action, patterns.get(tool, []))
        return found

    def _list_actions(self, call: str) -> Iterator[ActionEntry]:
        """Yield the IAM actions of a call that the policy may contain."""
        for name in self.actions_of_call.get(call, (call,)):
            action = self.catalogue.find_action(name)
            if action is None:
                self._record_omitted_clause(
                    ClauseReason.NO_ACTION, "L1", name, "unknown to IAM"
                )
            elif is_privileged_action(action) and not self.is_signed:
                text = "grants further permissions"
                self._record_omitted_clause(
                    ClauseReason.NEEDS_SIGNATURE, "L1", str(action), text
                )
            else:
                yield action

    def _allow_action(
        self, action: ActionEntry, patterns: Sequence[EntityPattern]
    ) -> Iterator[Statement]:
        """Yield the statement of one action on its learned resources."""
        name = str(action)
        if action.takes_only_wildcard_resource:
            yield build_allow_statement([name], [ANY_RESOURCE])
            return
        resources: set[str] = set()
        for pattern in patterns:
            resource = build_resource_pattern(pattern)
            if not resource:
                text = f"{pattern.kind.value} {pattern.level.value} {pattern.text}"
                self._record_omitted_clause(ClauseReason.WOULD_WIDEN, "L2", name, text)
            elif has_forbidden_characters(resource):
                self._record_omitted_clause(
                    ClauseReason.NOT_EXPRESSIBLE, "L2", name, resource
                )
            elif is_resource_of_action(self.catalogue, action, resource):
                resources.add(resource)
        if resources:
            yield build_allow_statement([name], sorted(resources))
        elif name in self.any_resource and not is_privileged_action(action):
            yield build_allow_statement([name], [ANY_RESOURCE])
        else:
            text = f"{', '.join(action.resource_types)}"
            self._record_omitted_clause(
                ClauseReason.RESOURCE_NOT_RECORDED, "L2", name, text
            )

    def _record_omitted_clause(
        self, reason: ClauseReason, layer: str, action: str, text: str
    ) -> None:
        """Record a clause that the policy does not contain."""
        self.omitted.add(OmittedClause(reason, layer, action, text))
