"""Parts of a resource pattern, and their union.

A part covers every resource that matches both its pattern and the one asked about. A
pattern without an account means the caller's own. `*` alone asks about every resource
type of the action.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.evaluation.pattern_requests import RESOURCE_POLICY
from answerable.reach.aws.evaluation.request import DENY
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.patterns.action_resource_matrix import action_patterns
from answerable.reach.aws.patterns.arns import EVERYTHING, Parts, pattern_parts
from answerable.reach.aws.patterns.common_match import meeting
from answerable.reach.aws.patterns.globs import STAR, begins, inward, outward
from answerable.reach.aws.patterns.terms import (
    RESOURCES,
    Term,
    covers,
    disjoint,
    minus,
    resource_text,
)
from answerable.reach.aws.permission_rows.row_types import SCOPE, Row
from answerable.reach.formula import FALSE, TRUE, Atom, Formula, atom, both, either
from answerable.reach.queries import Extent, Reply

PART = "answerable:resource"
# Conditions on the resource that a call names; they do not hold for all of a part.
_NAMING = frozenset({PART, SCOPE, DENY, RESOURCE_POLICY})
_PARTITION, _ACCOUNT = 1, 4  # parts of an ARN
_MOST_LEFT = 64  # remaining terms of a pattern that are not covered yet
_Resources = Term[Parts]


def merged(graph: Graph, action: str, resource: str, replies: Sequence[Reply]) -> Reply:
    """Merge the answers of several identities of one subject about a pattern."""
    if len(replies) == 1:
        return replies[0]
    parts = [part for reply in replies for part in reply.parts]
    return PatternUnion(graph.estate, action, resource).combined(replies, parts)


class PatternUnion:
    """Union of the parts of a pattern, with cached comparisons."""

    def __init__(self, estate: Estate, action: str, resource: str) -> None:
        """Prepare the target patterns of a question."""
        self._targets = target_patterns(estate, action, resource)
        self._covers: dict[tuple[_Resources, _Resources], bool] = {}

    def combined(self, replies: Sequence[Reply], parts: Iterable[Reply]) -> Reply:
        """Combine answers about all of a pattern, and about its parts, into one.

        Args:
            replies: Answers about all of it, of one subject.
            parts: Answers with a row each.
        """
        kept = self._distinct(parts)
        sure = [part for part in kept if part.formula == TRUE]
        best = min(replies, key=lambda one: (one.formula != TRUE, one.formula == FALSE))
        if best.formula == TRUE or self._covered(sure):
            return _of_parts(best, sure or kept, kept, TRUE, Extent.ALL)
        if not kept:
            extent = Extent.NONE if best.formula == FALSE else Extent.PART
            return replace(best, covers=extent, parts=())
        # An answer about the whole counts with its parts unless it leaves open which
        # resource is named.
        wholes = [
            one.formula for one in replies if _names_none(one.formula) or one.parts
        ]
        formula = either(*wholes, *self._on_parts(kept))
        plain = [part for part in kept if _has_plain(part.formula)]
        extent = Extent.ALL if self._covered(plain) else Extent.PART
        return _of_parts(best, kept, kept, formula, extent)

    def _distinct(self, parts: Iterable[Reply]) -> list[Reply]:
        """Drop parts that another part of the same account covers."""
        ordered = sorted(parts, key=lambda part: (part.formula != TRUE, len(part.path)))
        kept: dict[str, _Kept] = defaultdict(_Kept)
        for part in ordered:
            term, same = _term(part), kept[_account(part)]
            if not any(
                _implies(part.formula, one.formula) and self._is_in(_term(one), term)
                for one in same.near(term)
            ):
                same.add(part)
        found = [part for same in kept.values() for part in same.parts]
        return sorted(found, key=lambda part: part.formula != TRUE)

    def _is_in(self, outer: _Resources, inner: _Resources) -> bool:
        found = self._covers.get((outer, inner))
        if found is None:
            found = self._covers[outer, inner] = covers(RESOURCES, outer, inner)
        return found

    def _on_parts(self, parts: Sequence[Reply]) -> Iterator[Formula]:
        """Build the conditions of a call: it names a resource of an allowed part."""
        sure = sorted({part_text(part) for part in parts if part.formula == TRUE})
        if sure:
            yield atom(PART, "Matches", tuple(sure))
        targets = [Term(target) for target in self._targets]
        for part in parts:
            if part.formula == TRUE:
                continue
            everything = all(self._is_in(_term(part), one) for one in targets)
            named = TRUE if everything else atom(PART, "Matches", (part_text(part),))
            yield both(named, part.formula)

    def _covered(self, parts: Sequence[Reply]) -> bool:
        """Tell whether parts of callers of one account together cover a pattern.

        They do not if no single part's pattern, exceptions aside, contains the
        pattern: the remainder is never empty then.
        """
        by_account: dict[str, list[Reply]] = defaultdict(list)
        for part in parts:
            by_account[_account(part)].append(part)
        for same in by_account.values():
            left = [Term(_narrowed(target, same[0])) for target in self._targets]
            terms = dict.fromkeys(map(_term, same))
            wide = self._holding(terms, left)
            if wide is not None and _is_used_up(left, dict.fromkeys([*wide, *terms])):
                return True
        return False

    def _holding(
        self, terms: Iterable[_Resources], targets: Iterable[_Resources]
    ) -> list[_Resources] | None:
        """List terms whose pattern contains a target; None if a target has none."""
        found = []
        for target in targets:
            holding = [t for t in terms if self._is_in(Term(t.pattern), target)]
            if not holding:
                return None
            found += holding
        return found


class _Kept:
    """Kept parts of one account, by the literal prefix of their patterns."""

    def __init__(self) -> None:
        self.parts: list[Reply] = []
        self._starting: dict[str, list[Reply]] = defaultdict(list)

    def add(self, part: Reply) -> None:
        self.parts.append(part)
        self._starting[begins(_term(part).pattern[-1])].append(part)

    def near(self, term: _Resources) -> Iterator[Reply]:
        """List the parts whose literal prefix is a prefix of a term."""
        text = term.pattern[-1]
        for length in range(len(text) + 1):
            yield from self._starting.get(text[:length], ())


class SureParts:
    """Unconditional parts, by account."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = defaultdict(_Kept)
        self._covered: dict[tuple[str, _Resources], bool] = {}

    def add(self, account: str, part: Reply) -> None:
        """Add a part, if it is unconditional."""
        if part.formula == TRUE:
            self._kept[account].add(part)
            self._covered.clear()

    def cover(self, account: str, row: Row) -> bool:
        """Tell whether a part of an account covers a row."""
        key = account, row.resources
        found = self._covered.get(key)
        if found is None:
            near = self._kept[account].near(row.resources)
            found = any(covers(RESOURCES, _term(part), row.resources) for part in near)
            self._covered[key] = found
        return found


def _is_used_up(left: list[_Resources], terms: Iterable[_Resources]) -> bool:
    """Tell whether terms together cover the remaining patterns."""
    for term in terms:
        left = _without(left, term)
        if not left:
            return True
        if len(left) > _MOST_LEFT:
            return False
    return not left


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


def _implies(formula: Formula, other: Formula) -> bool:
    """Tell whether a formula implies another, alternative by alternative."""
    return all(any(less <= more for less in other) for more in formula)


def part_text(part: Reply) -> str:
    """Format the resource pattern of a part."""
    return resource_text(part.row.resources, part.row.shown) if part.row else "*"


def target_patterns(estate: Estate, action: str, resource: str) -> tuple[Parts, ...]:
    """List the patterns that make up a question.

    For `*` these are the ARN patterns of the resource types of the action.
    """
    if resource == "*":
        return action_patterns(estate.catalogue, action)
    return (pattern_parts(inward(resource)),)


def examples(
    estate: Estate, action: str, resource: str, account: str, granted: Iterable[Parts]
) -> Iterator[str]:
    """Yield example ARNs that a pattern matches, for each resource type of an action.

    Args:
        estate: The compiled accounts.
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
        # The account of the resource type, or of the pattern, may be another one.
        texts[_ACCOUNT] = texts[_ACCOUNT] or meeting(
            tuple(form[_ACCOUNT] for form in forms[:-1])
        )
        if all(text is not None for text in texts):
            yield outward(":".join(text or "" for text in texts))


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
    """Replace a wildcard partition and account by those of the caller."""
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
    """Tell whether no condition is about the resource that a call names."""
    return not any(a.key in _NAMING for alternative in formula for a in alternative)


def _has_plain(formula: Formula) -> bool:
    """Tell whether some alternative is equal for every resource of a part."""

    def plain(alternative: frozenset[Atom]) -> bool:
        return not any(a.key in _NAMING for a in alternative)

    return any(map(plain, formula))
