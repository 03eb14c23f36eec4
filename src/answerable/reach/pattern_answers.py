"""Answers about a resource pattern: all of it, part of it, or none of it.

A pattern is asked about as one request first, then by the rows that touch it: each row
is a part. A part speaks of every resource that matches both its pattern and the one
asked about. A pattern that names no account speaks of the caller's own. `*` alone asks
about every resource type of the action.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from answerable.model.ids import IdentityId
from answerable.reach import questions
from answerable.reach.bits.rights import Verdicts
from answerable.reach.bits.whole import whole_of
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.services import TRUST_CALLS
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.paths import Reached, reached
from answerable.reach.paths.steps import Node
from answerable.reach.patterns.globs import STAR, inward, outward
from answerable.reach.patterns.matrix import action_patterns
from answerable.reach.patterns.meeting import meeting
from answerable.reach.patterns.resources import (
    EVERYTHING,
    Parts,
    overlaps_parts,
    pattern_parts,
)
from answerable.reach.patterns.terms import (
    RESOURCES,
    Term,
    covers,
    disjoint,
    minus,
    resource_text,
)
from answerable.reach.questions import Extent, Reply
from answerable.reach.rows.rows import SCOPE, Filter, Row, make_filter
from answerable.reach.verdict.formula import (
    FALSE,
    TRUE,
    Atom,
    Formula,
    atom,
    both,
    either,
)
from answerable.reach.verdict.request import DENY
from answerable.reach.verdict.wholes import RESOURCE_POLICY

PART = "answerable:resource"
# Conditions on which of several resources is named; they do not hold for all of a part.
_NAMING = frozenset({PART, SCOPE, DENY, RESOURCE_POLICY})
_PARTITION, _ACCOUNT = 1, 4  # parts of an ARN
_MOST_LEFT = 64  # pieces of a pattern that are not covered yet


def is_pattern(estate: Estate, action: str, resource: str) -> bool:
    """Tell whether a question is about all that a pattern matches.

    Args:
        estate: The estate.
        action: The action.
        resource: An ARN, a pattern, or `*`, which is none for an action that takes no
            resource.
    """
    call = estate.asked(action, resource)
    return call is not None and call.wild


def can_on_pattern(
    graph: Graph, start: IdentityId, action: str, resource: str, *, direct: bool
) -> Reply:
    """Answer about a pattern for a subject, by itself or through whom it can become.

    Returns:
        A reply with `covers` and `parts`.
    """
    return PatternQuestion(graph, action, resource).answer(start, direct=direct)


class PatternQuestion:
    """A question about one action on a resource pattern, for one subject or many.

    Attributes:
        graph: The graph.
        action: The action.
        resource: The pattern.
        goals: Actors that may call on all of it, and on part of it; None until
            `find_goals`.
    """

    def __init__(self, graph: Graph, action: str, resource: str) -> None:
        self.graph, self.action, self.resource = graph, action, resource
        self.goals: Verdicts | None = None
        self._whole: Verdicts | None = None
        self._wanted = make_filter(action, resource)
        self._granted = _is_granted(graph.estate, self._wanted)
        self._rows: dict[Node, tuple[Row, ...]] = {}

    def answer(self, start: IdentityId, *, direct: bool) -> Reply:
        """Answer for one subject; it may be a caller from outside."""
        call = self.action, self.resource
        whole = questions.can(
            self.graph, start, *call, direct=direct, goals=self._whole
        )
        if whole.formula == TRUE:
            part = _as_part(whole, self.resource)
            return replace(whole, covers=Extent.ALL, parts=(part,))
        parts = list(self._parts(start, direct=direct))
        return combined(self.graph, *call, [whole], parts)

    def find_goals(self, starts: Iterable[Node]) -> Verdicts:
        """Find every actor that may call on some of the pattern by itself.

        Args:
            starts: Nodes to look at besides the actors of the estate.
        """
        whole = whole_of(self.graph)
        call = self.action, self.resource
        self._whole = whole.with_loose(whole.goal(*call), starts, *call)
        sure, some = self._whole.sure, self._whole.some
        loose = (node for node in starts if whole.number(node) >= whole.size)
        for node in (*whole.realm.nodes[: whole.size], *loose):
            rows = self._rows_of(node)
            bit = 1 << whole.number(node)
            some |= bit if rows else 0
            sure |= bit if any(row.formula == TRUE for row in rows) else 0
        self.goals = Verdicts(sure, some)
        return self.goals

    def _parts(self, start: IdentityId, *, direct: bool) -> Iterator[Reply]:
        """List the rows that touch the pattern, along every path."""
        graph = self.graph
        if start not in graph.estate.principals:
            yield from questions.reach(graph, start, self._wanted, direct=direct)
            return
        node = graph.start(start)
        ways: Iterable[Reached] = [Reached(graph, (node,))]
        if not direct and self._leads_on(node):
            ways = reached(graph, node)
        told: set[tuple[object, ...]] = set()
        for way in ways:
            for row in self._rows_of(way.node):
                reply = questions.listed(graph, start, way, row, told)
                if reply:
                    yield reply

    def _leads_on(self, node: Node) -> bool:
        """Tell whether somebody else whom a node can become may call on some of it."""
        if self.goals is None:
            return True
        whole = whole_of(self.graph)
        number = whole.number(node)
        if number >= whole.size:
            return True
        return bool(whole.some.beyond[number] & self.goals.some & ~(1 << number))

    def _rows_of(self, node: Node) -> tuple[Row, ...]:
        found = self._rows.get(node)
        if found is None:
            principal = self.graph.principal(node)
            allows = principal.matching(self._wanted.actions.pattern).allows
            may = self._granted or principal.gaps or allows
            rows = questions.principal_rows(self.graph, principal, self._wanted)
            found = self._rows[node] = tuple(rows) if may else ()
        return found


def merged(graph: Graph, action: str, resource: str, replies: Sequence[Reply]) -> Reply:
    """Join the answers of several identities of one subject about a pattern."""
    if len(replies) == 1:
        return replies[0]
    parts = [part for reply in replies for part in reply.parts]
    return combined(graph, action, resource, replies, parts)


def _as_part(whole: Reply, resource: str) -> Reply:
    pattern = Term(pattern_parts(inward(resource)))
    row = Row(Term(STAR), pattern, "", whole.formula, whole.determining, whole.gaps)
    return replace(whole, row=row)


def _is_granted(estate: Estate, wanted: Filter) -> bool:
    """Tell whether some resource's own policy may allow what no identity policy does."""
    if wanted.actions.pattern in TRUST_CALLS:
        return True
    service = wanted.actions.pattern.partition(":")[0]
    return any(
        own.service == service
        and any(overlaps_parts(p, wanted.resources.pattern) for p in own.spoken_of)
        for own in estate.holders.values()
    )


def combined(
    graph: Graph,
    action: str,
    resource: str,
    replies: Sequence[Reply],
    parts: Iterable[Reply],
) -> Reply:
    """Make one answer of answers about all of a pattern, and of parts of it.

    Args:
        graph: The graph.
        action: The action.
        resource: The pattern.
        replies: Answers about all of it, of one subject.
        parts: Replies with a row each.
    """
    kept = _distinct(parts)
    sure = [part for part in kept if part.formula == TRUE]
    targets = target_patterns(graph.estate, action, resource)
    best = min(replies, key=lambda one: (one.formula != TRUE, one.formula == FALSE))
    if best.formula == TRUE or _covered(graph, targets, sure):
        return _of_parts(best, sure or kept, kept, TRUE, Extent.ALL)
    if not kept:
        extent = Extent.NONE if best.formula == FALSE else Extent.PART
        return replace(best, covers=extent, parts=())
    # A reply about the whole is as good as its parts unless it leaves open which
    # resource is named.
    wholes = [one.formula for one in replies if _names_none(one.formula) or one.parts]
    formula = either(*wholes, *_on_parts(kept, targets))
    plain = [part for part in kept if _has_plain(part.formula)]
    extent = Extent.ALL if _covered(graph, targets, plain) else Extent.PART
    return _of_parts(best, kept, kept, formula, extent)


def _of_parts(
    best: Reply,
    deciding: Sequence[Reply],
    parts: Sequence[Reply],
    formula: Formula,
    extent: Extent,
) -> Reply:
    first = best if best.formula == TRUE or not deciding else deciding[0]
    said = dict.fromkeys(d for part in deciding for d in part.determining)
    gaps = dict.fromkeys(gap for part in deciding for gap in part.gaps)
    return replace(
        first,
        formula=formula,
        determining=tuple(said) or best.determining,
        gaps=tuple(gaps),
        row=None,
        covers=extent,
        parts=tuple(parts),
        own=None,
    )


def _distinct(parts: Iterable[Reply]) -> list[Reply]:
    """Leave out parts of which another one of the same account says as much."""
    ordered = sorted(parts, key=lambda part: (part.formula != TRUE, len(part.path)))
    kept: dict[str, list[Reply]] = defaultdict(list)
    for part in ordered:
        term, same = _term(part), kept[_account(part)]
        if not any(
            covers(RESOURCES, _term(one), term) and _implies(part.formula, one.formula)
            for one in same
        ):
            same.append(part)
    found = [part for same in kept.values() for part in same]
    return sorted(found, key=lambda part: part.formula != TRUE)


def _implies(formula: Formula, other: Formula) -> bool:
    """Tell whether each alternative of a formula demands what one of another does."""
    return all(any(less <= more for less in other) for more in formula)


def _on_parts(parts: Sequence[Reply], targets: Sequence[Parts]) -> Iterator[Formula]:
    """Say when a call is allowed: it names a resource of a part, whose terms hold."""
    sure = sorted({part_text(part) for part in parts if part.formula == TRUE})
    if sure:
        yield atom(PART, "Matches", tuple(sure))
    for part in parts:
        if part.formula == TRUE:
            continue
        everything = all(covers(RESOURCES, _term(part), Term(one)) for one in targets)
        named = TRUE if everything else atom(PART, "Matches", (part_text(part),))
        yield both(named, part.formula)


def part_text(part: Reply) -> str:
    """Write the resource pattern of a part."""
    return resource_text(part.row.resources, part.row.shown) if part.row else "*"


def target_patterns(estate: Estate, action: str, resource: str) -> tuple[Parts, ...]:
    """List the patterns that all of a question consists of.

    For `*` these are the ARN patterns of the resource types of the action.
    """
    if resource == "*":
        return action_patterns(estate.catalogue, action)
    return (pattern_parts(inward(resource)),)


def examples(
    estate: Estate, action: str, resource: str, account: str, granted: Iterable[Parts]
) -> Iterator[str]:
    """Write resources that a pattern matches, of each resource type of an action.

    Args:
        estate: The estate.
        action: The action.
        resource: The pattern.
        account: Number of the account whose resources they are.
        granted: Patterns, of each of which one resource is written, too.
    """
    asked = pattern_parts(inward(resource))
    own = (STAR, "aws", STAR, STAR, account or STAR, STAR)
    kinds = action_patterns(estate.catalogue, action)
    for kind, inside in product(kinds, (EVERYTHING, *granted)):
        forms = [one for one in (asked, kind, inside, own) if one != EVERYTHING]
        texts = [meeting(tuple(same)) for same in zip(*forms, strict=True)]
        # The account of such a resource type, or of the pattern, may be another one.
        texts[_ACCOUNT] = texts[_ACCOUNT] or meeting(
            tuple(form[_ACCOUNT] for form in forms[:-1])
        )
        if all(text is not None for text in texts):
            yield outward(":".join(text or "" for text in texts))


def _covered(graph: Graph, targets: Sequence[Parts], parts: Sequence[Reply]) -> bool:
    """Tell whether parts of callers of one account hold all of a pattern together."""
    by_account: dict[str, list[Reply]] = defaultdict(list)
    for part in parts:
        by_account[_account(part)].append(part)
    for same in by_account.values():
        left = [Term(_narrowed(target, same[0])) for target in targets]
        for part in same:
            left = _without(left, _term(part))
            if not left:
                return True
            if len(left) > _MOST_LEFT:
                break
    return False


def _without(left: Iterable[Term[Parts]], gone: Term[Parts]) -> list[Term[Parts]]:
    found: list[Term[Parts]] = []
    for one in left:
        if disjoint(RESOURCES, one, gone):
            found.append(one)
            continue
        rest = minus(RESOURCES, one, gone)
        found += [one] if rest is None else rest
    return found


def _narrowed(target: Parts, part: Reply) -> Parts:
    """Write any partition and account as the caller's: only those are asked about."""
    if target == EVERYTHING or len(target) <= _ACCOUNT:
        return target
    own = {_PARTITION: _partition(part), _ACCOUNT: _account(part)}
    return tuple(
        own.get(at) or text if text == STAR else text for at, text in enumerate(target)
    )


def _partition(part: Reply) -> str:
    pieces = part.actor.split(":", 2)
    return pieces[1] if len(pieces) > 2 and pieces[0] == "arn" else "aws"


def _account(part: Reply) -> str:
    pieces = part.actor.split(":", 5)
    return pieces[_ACCOUNT] if len(pieces) > _ACCOUNT else ""


def _term(part: Reply) -> Term[Parts]:
    return part.row.resources if part.row else Term(EVERYTHING)


def _names_none(formula: Formula) -> bool:
    """Tell whether no condition is about which resource is named."""
    return not any(a.key in _NAMING for alternative in formula for a in alternative)


def _has_plain(formula: Formula) -> bool:
    """Tell whether some alternative holds for each resource of a part alike."""

    def plain(alternative: frozenset[Atom]) -> bool:
        return not any(a.key in _NAMING for a in alternative)

    return any(map(plain, formula))
