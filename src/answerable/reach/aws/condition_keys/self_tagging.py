"""Answers for a subject that may set the tags its permissions depend on.

Current tags decide a condition on a tag. A `never` that depends on a tag that the
subject, or an identity on its path, may set is one call from being wrong: here the
question is evaluated again with tags left open.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.answer_documents import pair_item
from answerable.reach.aws.bulk.partition import keys_used
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.condition_keys.classification import Kind, key_class
from answerable.reach.aws.condition_keys.tag_explanations import Tagging
from answerable.reach.aws.escalation_rules.registry import actions
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.single_request import ask
from answerable.reach.aws.paths.edges import Edge, Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Reached, reached
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.formula import FALSE
from answerable.reach.queries import Reply, replied

_TAGS = ("aws:principaltag/", "aws:resourcetag/", "iam:resourcetag/")
_MOST_WAYS = 256
_ON_THE_WAY = frozenset(action.lower() for action in actions())


def retagged(
    graph: Graph, start: IdentityId, action: str, resource: str, *, direct: bool
) -> Reply | None:
    """Evaluate a call answered `never` again, with tags that the subject may set.

    Returns:
        An answer whose open tag conditions the subject, or an identity on its path, may
        satisfy, those of each hop before it is taken; None where there is none.
    """
    estate = graph.estate
    if start not in estate.principals or set("*?") & set(resource):
        return None
    tagged = speaking_of_tags(graph)
    folded = action.lower()
    last = any(clause.takes_action(folded) for clause in tagged)
    hops = not direct and any(c.takes_action(a) for c in tagged for a in _ON_THE_WAY)
    if not last and not hops:
        return None
    loose, tagging = _Loose(graph), Tagging(graph)
    node = graph.start(start)
    ways: Iterable[Reached] = [Reached(graph, (node,))]
    if not direct:
        ways = _ways(loose, node) if hops else islice(reached(graph, node), _MOST_WAYS)
    for way in ways:
        answer = ask(estate, graph.principal(way.node), action, resource)
        if answer.formula == FALSE:
            principal = loose.principal(way.node)
            answer = ask(loose.estate, principal, action, resource)
        if answer.formula == FALSE:
            continue
        reply = replied(graph, start, way, answer)
        if tagging.is_settled(reply, pair_item(reply, action, resource)):
            return reply
    return None


class _Over(Mapping[IdentityId, Principal]):
    """Mapping of principals with some of them replaced."""

    def __init__(
        self,
        changed: Mapping[IdentityId, Principal],
        below: Mapping[IdentityId, Principal],
    ) -> None:
        self._changed, self._below = changed, below

    def __getitem__(self, key: IdentityId) -> Principal:
        found = self._changed.get(key)
        return self._below[key] if found is None else found

    def __iter__(self) -> Iterator[IdentityId]:
        return iter(self._below)

    def __len__(self) -> int:
        return len(self._below)


class _Loose:
    """Graph with open tags for the principals that are evaluated.

    Attributes:
        tight: Graph with current tags.
        estate: Compiled accounts with open tags.
        graph: Graph of these accounts.
    """

    def __init__(self, tight: Graph) -> None:
        self.tight = tight
        self._changed: dict[IdentityId, Principal] = {}
        self._principals = _Over(self._changed, tight.estate.principals)
        self.estate = replace(
            tight.estate, principals=self._principals, tags_open=True, _places={}
        )
        self.graph = Graph(self.estate)

    def principal(self, node: Node) -> Principal:
        """Return a principal with open tags."""
        return _without_tags(self.tight.principal(node))

    def edges(self, node: Node) -> Iterator[Edge]:
        """List edges that current tags forbid and other tags might allow."""
        known = self._principals.get(node.identity)
        if known is None or self.tight.admin(node):
            return
        self._changed[node.identity] = _without_tags(known)
        for edge in self.graph.edges(node):
            if self.tight.edge(node, edge.to) is None:
                yield edge


def _ways(loose: _Loose, start: Node) -> Iterator[Reached]:
    """List paths, nearest first: with current tags, then over steps by other tags."""
    graph = loose.tight
    listed = list(islice(reached(graph, start), _MOST_WAYS))
    yield from listed
    seen = {way.node for way in listed}
    for way in listed:  # grows
        for edge in loose.edges(way.node):
            if edge.to in seen or len(listed) >= _MOST_WAYS:
                continue
            taken = (*way.edges, (way.node, edge))
            for more in islice(reached(graph, edge.to), _MOST_WAYS):
                if more.node not in seen:
                    seen.add(more.node)
                    trail = (*way.trail, *more.trail)
                    pairs = (*taken, *more.edges)
                    found = Reached(graph, trail, certain=False, _edges=pairs)
                    listed.append(found)
                    yield found


def speaking_of_tags(graph: Graph) -> tuple[Clause, ...]:
    """List statements that depend on a tag, one for each set of actions."""
    if graph.tagged is None:
        found: dict[tuple[object, ...], Clause] = {}
        for clause in graph.estate.clauses:
            actions = clause.actions, clause.not_actions
            if actions not in found and _uses_tags(clause):
                found[actions] = clause
        graph.tagged = tuple(found.values())
    return graph.tagged


def granted_on_tags(graph: Graph, action: str) -> tuple[Parts, ...]:
    """List the resource patterns of statements that allow an action under a tag.

    Args:
        graph: The graph.
        action: In any case.
    """
    folded = action.lower()
    found: dict[Parts, None] = {}
    for clause in graph.estate.clauses:
        allows = clause.effect is Effect.ALLOW and clause.takes_action(folded)
        if allows and _uses_tags(clause):
            found |= dict.fromkeys(clause.parts)
    return tuple(found)


def _uses_tags(clause: Clause) -> bool:
    if clause.static:
        return False
    kinds = {key_class(key).kind for key in keys_used(clause)}
    return bool(kinds & {Kind.PRINCIPAL_TAG, Kind.RESOURCE_TAG})


def _without_tags(principal: Principal) -> Principal:
    return replace(principal, known=_but_tags(principal.known))


def _but_tags(known: Known) -> Known:
    kept = {k: v for k, v in known.values.items() if not k.startswith(_TAGS)}
    return Known(kept, tuple(p for p in known.complete if p not in _TAGS))
