"""Answer a call for a subject that may set the tags its permissions depend on.

Current tags decide a condition on a tag. A `never` that depends on a tag that the
subject, or an identity on its path, may set is one call from being wrong: here the
question is evaluated again with tags left open.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.answer_items import build_call_answer_item
from answerable.reach.aws.bulk.key_partition import list_condition_keys
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.condition_keys.key_classification import (
    KeyKind,
    classify_condition_key,
)
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.escalation_rules.registry import list_rule_actions
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_edges import IdentityEdge, IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import ReachPath, iterate_paths
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.aws.subject_queries import ReachAnswer, build_answer_at_path_end
from answerable.reach.condition_formula import FALSE

_TAG_PREFIXES = ("aws:principaltag/", "aws:resourcetag/", "iam:resourcetag/")
_MAX_PATHS = 256
_HOP_ACTIONS = frozenset(action.lower() for action in list_rule_actions())


def answer_with_self_set_tags(
    graph: IdentityGraph,
    subject: IdentityId,
    action: str,
    resource: str,
    *,
    direct: bool,
) -> ReachAnswer | None:
    """Answer a denied call again, as if the subject set the tags needed.

    Returns:
        An answer whose open tag conditions the subject, or an identity on its path, may
        satisfy, those of each hop before it is taken; None where there is none.
    """
    accounts = graph.accounts
    if subject not in accounts.principals or set("*?") & set(resource):
        return None
    tagged = list_tag_dependent_statements(graph)
    folded = action.lower()
    last = any(clause.matches_action(folded) for clause in tagged)
    hops = not direct and any(c.matches_action(a) for c in tagged for a in _HOP_ACTIONS)
    if not last and not hops:
        return None
    loose, tagging = _OpenTagGraph(graph), TagExplainer(graph)
    node = graph.get_start_node(subject)
    ways: Iterable[ReachPath] = [ReachPath(graph, (node,))]
    if not direct:
        ways = (
            _list_paths_with_open_tags(loose, node)
            if hops
            else islice(iterate_paths(graph, node), _MAX_PATHS)
        )
    for way in ways:
        answer = evaluate_action(
            accounts, graph.get_principal(way.target), action, resource
        )
        if answer.formula == FALSE:
            principal = loose.get_principal(way.target)
            answer = evaluate_action(loose.estate, principal, action, resource)
        if answer.formula == FALSE:
            continue
        reply = build_answer_at_path_end(graph, subject, way, answer)
        if tagging.can_subject_set_needed_tags(
            reply, build_call_answer_item(reply, action, resource)
        ):
            return reply
    return None


class _OverlaidPrincipals(Mapping[IdentityId, CompiledPrincipal]):
    """Mapping of principals with some of them replaced."""

    def __init__(
        self,
        replaced: Mapping[IdentityId, CompiledPrincipal],
        original: Mapping[IdentityId, CompiledPrincipal],
    ) -> None:
        self._changed, self._below = replaced, original

    def __getitem__(self, key: IdentityId) -> CompiledPrincipal:
        found = self._changed.get(key)
        return self._below[key] if found is None else found

    def __contains__(self, key: object) -> bool:
        return key in self._below  # without reading the principal

    def __iter__(self) -> Iterator[IdentityId]:
        return iter(self._below)

    def __len__(self) -> int:
        return len(self._below)


class _OpenTagGraph:
    """Graph with open tags for the principals that are evaluated.

    Attributes:
        tight: Graph with current tags.
        estate: Compiled accounts with open tags.
        graph: Graph of these accounts.
    """

    def __init__(self, graph: IdentityGraph) -> None:
        self.tight = graph
        self._changed: dict[IdentityId, CompiledPrincipal] = {}
        self._principals = _OverlaidPrincipals(self._changed, graph.accounts.principals)
        self.estate = replace(
            graph.accounts, principals=self._principals, tags_open=True, _places={}
        )
        self.graph = IdentityGraph(self.estate)

    def get_principal(self, node: IdentityNode) -> CompiledPrincipal:
        """Return a principal as if its tags could have any value."""
        return _remove_principal_tags(self.tight.get_principal(node))

    def list_edges_open_by_tags(self, node: IdentityNode) -> Iterator[IdentityEdge]:
        """List edges that current tags forbid and other tags might allow."""
        known = self._principals.get(node.identity)
        if known is None or self.tight.is_administrator(node):
            return
        self._changed[node.identity] = _remove_principal_tags(known)
        self.graph.drop_cached_principal(node)  # another node's edges may have read it
        for edge in self._list_edges_that_tags_may_open(node):
            if self.tight.find_best_edge(node, edge.to) is None:
                yield edge

    def _list_edges_that_tags_may_open(
        self, node: IdentityNode
    ) -> Sequence[IdentityEdge]:
        """List a node's edges with open tags, at least those that tags may open.

        If no statement about the node's own calls depends on a tag, only a trust policy
        that does can make a difference.
        """
        tagged = list_tag_dependent_policies(self.tight)
        roles = frozenset(r for r in map(IdentityId, tagged) if r in self.estate.trusts)
        if len(roles) < len(tagged) or self._do_calls_depend_on_tags(node):
            return self.graph.list_best_edges(node)
        return self.graph.list_best_edges_by_trust(node, roles) if roles else ()

    def _do_calls_depend_on_tags(self, node: IdentityNode) -> bool:
        """Return whether a statement on a node's own calls of paths depends on a tag."""
        if self.estate.session or self.estate.endpoint:
            return True
        principal = self.tight.get_principal(node)
        statements = chain(
            principal.grants,
            principal.boundary or (),
            *(limit.grants for limit in principal.levels),
            *(rcp.denies for rcp in self.estate.rcps.values()),
        )
        return any(
            _statement_depends_on_tags(each.clause)
            and any(map(each.clause.matches_action, _HOP_ACTIONS))
            for each in statements
        )


def _list_paths_with_open_tags(
    open_graph: _OpenTagGraph, start: IdentityNode
) -> Iterator[ReachPath]:
    """List paths, nearest first: with current tags, then over steps by other tags."""
    graph = open_graph.tight
    listed = list(islice(iterate_paths(graph, start), _MAX_PATHS))
    yield from listed
    seen = {way.target for way in listed}
    for way in listed:  # grows
        for edge in open_graph.list_edges_open_by_tags(way.target):
            if edge.to in seen or len(listed) >= _MAX_PATHS:
                continue
            taken = (*way.edges, (way.target, edge))
            for more in islice(iterate_paths(graph, edge.to), _MAX_PATHS):
                if more.target not in seen:
                    seen.add(more.target)
                    trail = (*way.nodes, *more.nodes)
                    pairs = (*taken, *more.edges)
                    found = ReachPath(graph, trail, certain=False, _edges=pairs)
                    listed.append(found)
                    yield found


def list_tag_dependent_statements(
    graph: IdentityGraph,
) -> tuple[CompiledStatement, ...]:
    """List statements that depend on a tag, one for each set of actions."""
    if graph.tagged is None:
        found: dict[tuple[object, ...], CompiledStatement] = {}
        for clause in graph.accounts.clauses:
            actions = clause.actions, clause.not_actions
            if actions not in found and _statement_depends_on_tags(clause):
                found[actions] = clause
        graph.tagged = tuple(found.values())
    return graph.tagged


def list_tag_dependent_policies(graph: IdentityGraph) -> frozenset[str]:
    """List the roles and resources whose own policy depends on a tag, for hops."""
    if graph.tagged_policies is None:
        known: dict[int, bool] = {}

        def depends(clause: CompiledStatement) -> bool:
            found = known.get(id(clause))
            if found is None:
                found = known[id(clause)] = _statement_depends_on_tags(clause) and any(
                    map(clause.matches_action, _HOP_ACTIONS)
                )
            return found

        accounts = graph.accounts
        written = chain(
            ((str(role), trust.grants) for role, trust in accounts.trusts.items()),
            ((name, policy.grants) for name, policy in accounts.holders.items()),
        )
        graph.tagged_policies = frozenset(
            name
            for name, statements in written
            if any(depends(each.clause) for each in statements)
        )
    return graph.tagged_policies


def list_tag_granted_resources(
    graph: IdentityGraph, action: str
) -> tuple[ArnParts, ...]:
    """List the resource patterns of statements that allow an action under a tag.

    Args:
        graph: The graph.
        action: In any case.
    """
    folded = action.lower()
    found: dict[ArnParts, None] = {}
    for clause in graph.accounts.clauses:
        allows = clause.effect is PolicyEffect.ALLOW and clause.matches_action(folded)
        if allows and _statement_depends_on_tags(clause):
            found |= dict.fromkeys(clause.parts)
    return tuple(found)


def _statement_depends_on_tags(statement: CompiledStatement) -> bool:
    """Return whether a statement's conditions depend on a tag."""
    if statement.static:
        return False
    kinds = {classify_condition_key(key).kind for key in list_condition_keys(statement)}
    return bool(kinds & {KeyKind.PRINCIPAL_TAG, KeyKind.RESOURCE_TAG})


def _remove_principal_tags(principal: CompiledPrincipal) -> CompiledPrincipal:
    """Return a copy of a principal whose tag values are not known."""
    return replace(principal, known=_remove_tag_condition_keys(principal.known))


def _remove_tag_condition_keys(known_keys: ContextKeys) -> ContextKeys:
    """Remove tag keys (`aws:PrincipalTag/...`), so that their values are unknown."""
    kept = {
        k: v for k, v in known_keys.values.items() if not k.startswith(_TAG_PREFIXES)
    }
    return ContextKeys(
        kept, tuple(p for p in known_keys.complete if p not in _TAG_PREFIXES)
    )
