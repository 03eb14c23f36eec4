"""Prove by evaluation what replacing the own policies of an AWS identity changes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.baseline.policy_export.statement_matching import (
    find_matching_patterns,
    matches_action,
)
from answerable.connectors.formats.iam_policy import parse_policy
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.inventory import Inventory
from answerable.model.observed_action import ObservedAction
from answerable.model.policy import (
    Policy,
    PolicyAttachment,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.reach import engine
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled_graph import list_services_named_by_policies
from answerable.reach.aws.patterns.glob_matching import encode_glob, matches_glob
from answerable.reach.aws.permission_check import evaluate_call
from answerable.reach.aws.permission_rows.row_action_expansion import ActionMatcher
from answerable.reach.aws.permission_rows.row_types import parse_row_filter
from answerable.reach.aws.platform import build_policy_edit_from_graphs
from answerable.reach.aws.query_context import QueryContext, require_assume_role_paths
from answerable.reach.aws.what_if.edit_comparison import EditedGraph, apply_graph_edit
from answerable.reach.aws.what_if.policy_edits import attach_policy
from answerable.reach.condition_formula import Verdict, get_verdict
from answerable.reach.platform import Question, SubjectIdentity
from answerable.services.reach.platform_registry import AWS, open_platforms

_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}
_COVERS = {"none": 0, "part": 1, "all": 2}
_GAINS = ("appears", "stronger")
_MAX_CHANGES = 200
_MAX_DETAILS = 20

HOLDS, FAILS, NOT_KNOWN = "holds", "fails", "not-known"


@dataclass(frozen=True, slots=True)
class OwnPolicies:
    """Statements of an identity's own policies.

    Attributes:
        statements: Of all attached and inline policies, groups included.
        missing: Policies that were not collected.
        unread: Whether a statement was not understood.
    """

    statements: tuple[Statement, ...]
    missing: tuple[str, ...] = ()
    unread: bool = False


@dataclass(frozen=True, slots=True)
class ReachProof:
    """Result of one proof.

    Attributes:
        verdict: `holds`, `fails` or `not-known`.
        details: Calls that contradict it, or data that is missing.
    """

    verdict: str
    details: tuple[str, ...] = ()


def read_own_policies(inventory: Inventory, identity: str) -> OwnPolicies | None:
    """Read the identity policies of an AWS identity; None if they were not collected."""
    attached = [
        each
        for each in inventory.facts.attachments
        if each.target == identity and each.layer is PolicyLayer.IDENTITY
    ]
    query = AWS.build_permission_query(inventory, Question(0, subject=identity), ())
    principal = query.compiled_accounts.principals.get(IdentityId(identity))
    if principal is None or not principal.collected:
        return None
    known = inventory.facts.policies_by_id()
    found = [known[each.policy] for each in attached if each.policy in known]
    return OwnPolicies(
        tuple(statement for policy in found for statement in policy.statements),
        tuple(sorted({str(a.policy) for a in attached if a.policy not in known})),
        any(policy.unread for policy in found),
    )


@dataclass(frozen=True, slots=True)
class ReplacedPolicies:
    """Permissions of an identity before and after its own policies are replaced."""

    identity: str
    inventory: Inventory
    question: Question
    edited: EditedGraph
    statements: tuple[Statement, ...]

    @classmethod
    def build(
        cls,
        inventory: Inventory,
        identity: str,
        documents: Sequence[str],
        services: Iterable[str],
        now: int,
    ) -> "ReplacedPolicies":
        """Evaluate the account with the documents in place of the own policies.

        Args:
            documents: Policies as they would be deployed.
            services: Services of the documents and of observed actions.
            now: UTC nanoseconds.
        """
        question = Question(now, subject=identity)
        named = list_services_named_by_policies(inventory) | set(services)
        query = AWS.build_permission_query(inventory, question, named, compile_all=True)
        require_assume_role_paths(query)
        policies = list(_parse_documents(identity, documents, now))
        edited = apply_graph_edit(
            query, _replace_policies(inventory.facts, identity, policies)
        )
        statements = tuple(one for policy in policies for one in policy.statements)
        return cls(identity, inventory, question, edited, statements)

    def list_changes(
        self, *, direct: bool = False
    ) -> tuple[Sequence[AccessChangeItem], Sequence[str]]:
        """List the changed permissions, and the reasons why some are not known.

        An identity that may edit its own policies reaches everything on both sides:
        only its direct permissions show what else was replaced.

        Missing data of another platform that the identity may enter on both sides is no
        reason: as long as it becomes no other identity, it enters no more there.

        Args:
            direct: Only what the identity may do itself, not over paths.
        """
        question = replace(self.question, direct=direct)
        applied = build_policy_edit_from_graphs(self.edited)
        before, after = (
            open_platforms(self.inventory, question, {AWS.name: side})
            for side in (applied.before, applied.after)
        )
        changes, found = engine.list_changes_of_edit(
            (before, after), AWS, applied, _MAX_CHANGES
        )
        unknown = found.unknown
        if found.apart:
            entered = frozenset(found.apart)
            new = after.find_identities(self.identity).apart
            own = (each for each in unknown if each not in entered)
            unknown = (*own, *(each for each in new if each not in entered))
        return changes.items, [each.because for each in unknown]

    def prove_subset(self) -> ReachProof:
        """Prove that no permission is new, over every path."""
        changes, unknown = self.list_changes()
        gained = [each for each in changes if each["change"] in _GAINS]
        if gained:
            return ReachProof(
                FAILS,
                tuple(
                    f"{each['action']} on {each['resource']}: {each['before']} before, "
                    f"{each['after']} after"
                    for each in gained[:_MAX_DETAILS]
                ),
            )
        undecided = [
            f"{each['action']} on {each['resource']}"
            for each in changes
            if each["change"] == NOT_KNOWN and self._may_gain(each["action"])
        ]
        undecided += unknown
        verdict = NOT_KNOWN if undecided else HOLDS
        return ReachProof(verdict, tuple(undecided[:_MAX_DETAILS]))

    def _may_gain(self, pattern: str) -> bool:
        """Return whether a statement of the documents allows more than today.

        Rows of several calls whose conditions differ are compared by the single actions
        and resources of the documents.

        Args:
            pattern: Action pattern of the rows.
        """
        glob = encode_glob(pattern.lower())
        return any(
            self._compare_call(action, resource) > 0
            for statement in self.statements
            if statement.effect is PolicyEffect.ALLOW
            for action in statement.actions
            if matches_glob(glob, action.lower())
            for resource in statement.resources or ("*",)
        )

    def prove_observed(self, observed: Iterable[ObservedAction]) -> ReachProof:
        """Prove that each observed call is allowed as it is today.

        A call that today's policies do not allow is no contradiction: its permission
        ended, or a policy of the resource allows it.
        """
        lost: list[str] = []
        for action in observed:
            lost += (
                f"{action.action} on {resource}"
                for resource in sorted(action.resources)
                if self._is_allowed_less(action.action, resource)
            )
            if action.has_unnamed and self._compare_call(action.action, "*") < 0:
                lost.append(f"{action.action} on *")
        verdict = FAILS if lost else HOLDS
        return ReachProof(verdict, tuple(lost[:_MAX_DETAILS]))

    def _is_allowed_less(self, action: str, resource: str) -> bool:
        """Return whether a call on one resource is allowed less than today.

        Questions have no spelling for a name with `*` or `?`, so that the statements
        are matched with it instead.
        """
        if not set("*?") & set(resource):
            return self._compare_call(action, resource) < 0
        is_named = any(
            each.effect is PolicyEffect.ALLOW
            and matches_action(each, action)
            and find_matching_patterns(each, resource)
            for each in self.statements
        )
        return not is_named and self._compare_call(action, resource) < 0

    def _compare_call(self, action: str, resource: str) -> int:
        """Return whether a call is allowed less (negative) or more than today."""
        was, will = (
            self._rank_call_verdict(side, action, resource)
            for side in (self.edited.asked, self.edited.after)
        )
        return (will > was) - (will < was)

    def _rank_call_verdict(
        self, query: QueryContext, action: str, resource: str
    ) -> tuple[int, int]:
        """Return the rank of a call's verdict, and which share of a pattern it covers."""
        start = SubjectIdentity(self.identity, IdentityId(self.identity))
        direct = replace(query, direct=True)
        question = replace(
            self.question, action=action, resource=resource, identities=(start,)
        )
        answer = evaluate_call(direct, question)
        covers = _COVERS.get(str(answer.item.get("covers", "")), 0)
        return covers, _RANK[answer.verdict]

    def list_allowed_actions(
        self, catalogue: ActionCatalogue, *, after: bool, direct: bool
    ) -> frozenset[str]:
        """List the actions that the identity may call on some resource.

        Args:
            after: After the replacement.
            direct: Only by its own policies, not through other identities.
        """
        graph = (self.edited.after if after else self.edited.asked).graph
        actions = ActionMatcher(catalogue)
        rows = subject_queries.iterate_subject_rows(
            graph, IdentityId(self.identity), parse_row_filter("*", "*"), direct=direct
        )
        return frozenset(
            str(entry)
            for reply in rows
            if reply.row is not None and get_verdict(reply.formula) is not Verdict.NEVER
            for entry in actions.list_actions_of_row(reply.row)
        )


def _replace_policies(
    facts: SightedFacts, identity: str, policies: Iterable[Policy]
) -> SightedFacts:
    """Detach the own policies of an identity, and attach others instead."""
    kept: list[PolicyAttachment] = [
        each
        for each in facts.attachments
        if each.target != identity or each.layer is not PolicyLayer.IDENTITY
    ]
    facts = replace(facts, attachments=tuple(kept))
    for policy in policies:
        facts = attach_policy(facts, policy, identity, PolicyLayer.IDENTITY)
    return facts


def _parse_documents(
    identity: str, documents: Sequence[str], now: int
) -> Iterator[Policy]:
    """Parse the documents as they would be deployed."""
    for number, text in enumerate(documents):
        name = f"answerable-{number}"
        yield parse_policy(
            text,
            PolicyLayer.IDENTITY,
            policy_id=PolicyId(f"{identity}#inline/{name}"),
            name=name,
            provenance=FactProvenance("least-privilege", name, WrittenBy.PERSON, now),
        )
