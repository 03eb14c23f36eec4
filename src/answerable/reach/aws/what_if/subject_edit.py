"""Removal of statements for one subject of a snapshot whose paths are not followed.

Only the parts of the compiled accounts that the subject's own permissions need are read,
twice: as they are, and without the statements.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, cast

from answerable.model.errors import UsageError
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk.closure import ActorSource, ActorSteps, GraphClosure
from answerable.reach.aws.bulk.transitive_closure import TransitiveClosure
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled_graph import AwsHost
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.aws.what_if.edit_comparison import EditedGraph
from answerable.reach.aws.what_if.edit_scope import find_scope_of_removal
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    find_policy_by_printed_name,
    find_statement_by_printed_name,
    list_statements_of_policy,
)
from answerable.reach.aws.what_if.statement_removal import (
    RemovedStatements,
    remove_statements,
)
from answerable.reach.platform import (
    ChangeList,
    PolicyEdit,
    Question,
    SubjectIdentity,
)

# A policy of these layers that is removed limits no more; an empty one denies all.
_LIMITS = frozenset({PolicyLayer.BOUNDARY.value, PolicyLayer.SCP.value})


@dataclass(frozen=True, slots=True)
class SubjectEdit:
    """Own permissions of one subject, with statements and without them.

    Attributes:
        asked: Context of a query about the snapshot.
        after: Context of the same query without the statements.
        targets: Targets of the edited policies, by layer.
        has_role_assumptions: Whether a statement may concern `sts:AssumeRole`.
    """

    asked: QueryContext
    after: QueryContext
    targets: Mapping[str, Collection[str]]
    has_role_assumptions: bool

    def list_permission_changes(
        self, question: Question, after: Sequence[SubjectIdentity], limit: int
    ) -> ChangeList:
        """List the differences in what the subject may do itself."""
        starts = (*question.identities, *after)
        scope = find_scope_of_removal(
            self.asked.compiled_accounts,
            self.after.compiled_accounts,
            {start.identity for start in starts},
            self.targets,
            has_role_assumptions=self.has_role_assumptions,
        )
        edited = EditedGraph(self.asked, self.after, scope)
        return edited.list_permission_changes(
            replace(question, direct=True), after, limit
        )


def open_subject_edit(query: QueryContext, edit: PolicyEdit) -> SubjectEdit:
    """Open an edit that removes statements, for one subject.

    Args:
        query: Context of a query that follows no paths.

    Raises:
        UsageError: A statement or policy is unknown, or the edit needs every path.
    """
    facts = query.inventory.facts
    removed = _find_removed_statements(query.host, facts, edit)
    policies = {each.policy for each in removed}
    targets: dict[str, set[str]] = {}
    for each in cast("Iterator[PolicyAttachment]", facts.iterate("attachments")):
        if each.policy in policies:
            targets.setdefault(each.layer, set()).add(each.target)
    if edit.policies and not _LIMITS.isdisjoint(targets):
        raise UsageError(
            "too many identities to remove a permissions boundary or SCP as a whole",
            "remove its statements: --without STATEMENT",
        )
    pairs = frozenset((each.policy, each.sid) for each in removed)
    accounts = query.compiled_accounts
    asked, after = (
        replace(query, graph=_build_graph_without_paths(query.graph, each))
        for each in (accounts, remove_statements(accounts, pairs, targets))
    )
    known = facts.policies_by_id()
    assumes = any(_may_concern_role_assumption(known[p], pairs) for p in policies)
    return SubjectEdit(asked, after, targets, assumes)


def _may_concern_role_assumption(policy: Policy, removed: RemovedStatements) -> bool:
    """Return whether a removed statement of a policy may concern `sts:AssumeRole`."""
    if any((policy.id, one.sid) in removed for one in policy.unread):
        return True
    statements = [one for one in policy.statements if (policy.id, one.sid) in removed]
    services = (
        action.lower().partition(":")[0] for one in statements for action in one.actions
    )
    return any(one.not_actions for one in statements) or any(
        service == "sts" or set("*?") & set(service) for service in services
    )


def _find_removed_statements(
    host: AwsHost, facts: SightedFacts, edit: PolicyEdit
) -> list[StatementId]:
    """Find the statements that an edit removes, alone or with their policy."""
    found = [
        find_statement_by_printed_name(facts, text, host.shorten_policy_name)
        for text in edit.statements
    ]
    for text in edit.policies:
        policy = find_policy_by_printed_name(facts, text, host.shorten_policy_name)
        found += list_statements_of_policy(policy)
    return found


@dataclass(frozen=True, slots=True)
class _NoActors:
    """Actors of a graph whose paths are not followed: none."""

    nodes: Sequence[IdentityNode] = ()
    numbers: Mapping[IdentityNode, int] = field(default_factory=dict)
    plain: int = 0
    widened: int = 0


def _build_graph_without_paths(
    graph: IdentityGraph, accounts: CompiledAccounts
) -> IdentityGraph:
    """Build the graph of compiled accounts, with a closure of no identity."""
    made = IdentityGraph(
        accounts, tagged=graph.tagged, tagged_policies=graph.tagged_policies
    )
    nothing = TransitiveClosure((), ())
    made.all = GraphClosure(
        graph=made,
        actors=cast("ActorSource", _NoActors()),
        table=ActorSteps((), ()),
        sure=nothing,
        some=nothing,
        plain=0,
        size=0,
        made=0,
        find=_refuse_to_follow_paths,
    )
    return made


def _refuse_to_follow_paths() -> NoReturn:
    """Raise an error, since no path is followed."""
    raise AssertionError("paths of too many identities")
