"""What a subject could do after it set a tag itself.

Tags are known as they stand, and a condition on one is then decided. But a `never` that
rests on a tag which the subject, or someone on its path, may set is one call away from
being untrue: here the question is asked again with tags left open.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.bits.cells import keys_used
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.principals import Principal
from answerable.reach.items import pair_item
from answerable.reach.keys.keys import Kind, key_class
from answerable.reach.keys.tagging import Tagging
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.paths import Reached, reached
from answerable.reach.patterns.resources import Parts
from answerable.reach.questions import Reply, replied
from answerable.reach.verdict.context import Known
from answerable.reach.verdict.formula import FALSE
from answerable.reach.verdict.single import ask

_TAGS = ("aws:principaltag/", "aws:resourcetag/", "iam:resourcetag/")
_MOST_WAYS = 256


def retagged(
    graph: Graph, start: IdentityId, action: str, resource: str, *, direct: bool
) -> Reply | None:
    """Answer a question that was answered `never`, were tags what the subject makes them.

    Returns:
        A reply whose open conditions on tags the subject, or someone on its path, may
        satisfy; None where there is none.
    """
    estate = graph.estate
    if start not in estate.principals or set("*?") & set(resource):
        return None
    folded = action.lower()
    if not any(clause.takes_action(folded) for clause in speaking_of_tags(graph)):
        return None
    loose = _untagged(estate, resource)
    tagging = Tagging(graph)
    node = graph.start(start)
    ways: Iterable[Reached] = [Reached(graph, (node,))]
    if not direct:
        ways = islice(reached(graph, node), _MOST_WAYS)
    for way in ways:
        principal = graph.principal(way.node)
        answer = ask(loose, _without_tags(principal), action, resource)
        if answer.formula == FALSE:
            continue
        reply = replied(graph, start, way, answer)
        item = pair_item(reply, action, resource)
        if tagging.explained(reply, item).get("unguarded"):
            return reply
    return None


def speaking_of_tags(graph: Graph) -> tuple[Clause, ...]:
    """List statements that depend on a tag: of those on the same actions, one."""
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


def _untagged(estate: Estate, resource: str) -> Estate:
    """Return an estate in which nothing is known of one resource's tags."""
    place = estate.place(resource)
    loose = place._replace(known=_but_tags(place.known))
    return replace(estate, _places={resource: loose})


def _without_tags(principal: Principal) -> Principal:
    return replace(principal, known=_but_tags(principal.known))


def _but_tags(known: Known) -> Known:
    kept = {k: v for k, v in known.values.items() if not k.startswith(_TAGS)}
    return Known(kept, tuple(p for p in known.complete if p not in _TAGS))
