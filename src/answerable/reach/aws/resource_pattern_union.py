"""Combine the allowed parts of a resource pattern into one answer.

A part covers every resource that matches both its pattern and the one asked about. A
pattern without an account means the caller's own. `*` alone asks about every resource
type of the action.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.evaluation.pattern_requests import RESOURCE_POLICY_KEY
from answerable.reach.aws.evaluation.request import DENY_KEY
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.action_resource_matrix import list_arns_of_action
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts, split_glob_arn
from answerable.reach.aws.patterns.common_match_search import find_matching_text
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    decode_glob,
    encode_glob,
    get_prefix_before_wildcard,
)
from answerable.reach.aws.patterns.pattern_set_algebra import (
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
    covers,
    format_resource_pattern,
    subtract_pattern,
)
from answerable.reach.aws.permission_rows.row_types import SCOPE, PermissionRow
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    ConditionAtom,
    Formula,
    build_atom,
    conjoin,
    disjoin,
)

RESOURCE_KEY = "answerable:resource"
# Conditions on the resource that a call names; they do not hold for all of a part.
_RESOURCE_NAMING_KEYS = frozenset({RESOURCE_KEY, SCOPE, DENY_KEY, RESOURCE_POLICY_KEY})
_PARTITION, _ACCOUNT = 1, 4  # parts of an ARN
_MAX_REMAINING_TERMS = 64  # remaining terms of a pattern that are not covered yet
_ResourceTerm = PatternTerm[ArnParts]


def merge_pattern_answers(
    graph: IdentityGraph, action: str, resource: str, answers: Sequence[ReachAnswer]
) -> ReachAnswer:
    """Merge the answers of several identities of one subject about a pattern."""
    if len(answers) == 1:
        return answers[0]
    parts = [part for reply in answers for part in reply.parts]
    return PatternUnion(graph.accounts, action, resource).combine_pattern_answers(
        answers, parts
    )


class PatternUnion:
    """Union of the parts of a pattern, with cached comparisons."""

    def __init__(self, accounts: CompiledAccounts, action: str, resource: str) -> None:
        """Prepare the target patterns of a question."""
        self._targets = list_arn_patterns_of_question(accounts, action, resource)
        self._covers: dict[tuple[_ResourceTerm, _ResourceTerm], bool] = {}

    def combine_pattern_answers(
        self, answers: Sequence[ReachAnswer], parts: Iterable[ReachAnswer]
    ) -> ReachAnswer:
        """Combine answers on an ARN pattern and on its parts into one.

        Args:
            answers: Answers about all of it, of one subject.
            parts: Answers with a row each.
        """
        kept = self._drop_covered_parts(parts)
        sure = [part for part in kept if part.formula == TRUE]
        best = min(answers, key=lambda one: (one.formula != TRUE, one.formula == FALSE))
        if best.formula == TRUE or self._is_covered(sure):
            return _combine_part_answers(
                best, sure or kept, kept, TRUE, PatternExtent.ALL
            )
        if not kept:
            extent = PatternExtent.NONE if best.formula == FALSE else PatternExtent.PART
            return replace(best, covers=extent, parts=())
        # An answer about the whole counts with its parts unless it leaves open which
        # resource is named.
        wholes = [
            one.formula
            for one in answers
            if _is_independent_of_resource_name(one.formula) or one.parts
        ]
        formula = disjoin(*wholes, *self._list_conditions_of_parts(kept))
        plain = [part for part in kept if _has_uniform_alternative(part.formula)]
        extent = PatternExtent.ALL if self._is_covered(plain) else PatternExtent.PART
        return _combine_part_answers(best, kept, kept, formula, extent)

    def _drop_covered_parts(self, parts: Iterable[ReachAnswer]) -> list[ReachAnswer]:
        """Drop parts that another part of the same account covers."""
        ordered = sorted(parts, key=lambda part: (part.formula != TRUE, len(part.path)))
        kept: dict[str, _PartsByPrefix] = defaultdict(_PartsByPrefix)
        for part in ordered:
            term, same = _get_resource_pattern(part), kept[_get_account(part)]
            if not any(
                _does_condition_imply(part.formula, one.formula)
                and self._covers_cached(_get_resource_pattern(one), term)
                for one in same.list_prefix_matches(term)
            ):
                same.add_allowed_part(part)
        found = [part for same in kept.values() for part in same.parts]
        return sorted(found, key=lambda part: part.formula != TRUE)

    def _covers_cached(self, outer: _ResourceTerm, inner: _ResourceTerm) -> bool:
        """Return whether one pattern covers another; cached."""
        found = self._covers.get((outer, inner))
        if found is None:
            found = self._covers[outer, inner] = covers(RESOURCES, outer, inner)
        return found

    def _list_conditions_of_parts(
        self, parts: Sequence[ReachAnswer]
    ) -> Iterator[Formula]:
        """Yield conditions under which a call is allowed: the part its resource matches."""
        sure = sorted(
            {format_part_pattern(part) for part in parts if part.formula == TRUE}
        )
        if sure:
            yield build_atom(RESOURCE_KEY, "Matches", tuple(sure))
        targets = [PatternTerm(target) for target in self._targets]
        for part in parts:
            if part.formula == TRUE:
                continue
            everything = all(
                self._covers_cached(_get_resource_pattern(part), one) for one in targets
            )
            named = (
                TRUE
                if everything
                else build_atom(RESOURCE_KEY, "Matches", (format_part_pattern(part),))
            )
            yield conjoin(named, part.formula)

    def _is_covered(self, parts: Sequence[ReachAnswer]) -> bool:
        """Return whether parts of callers of one account together cover a pattern.

        They do not if no single part's pattern, exceptions aside, contains the
        pattern: the remainder is never empty then.
        """
        by_account: dict[str, list[ReachAnswer]] = defaultdict(list)
        for part in parts:
            by_account[_get_account(part)].append(part)
        for same in by_account.values():
            left = [
                PatternTerm(_fill_wildcard_account(target, same[0]))
                for target in self._targets
            ]
            terms = dict.fromkeys(map(_get_resource_pattern, same))
            wide = self._select_terms_containing_targets(terms, left)
            if wide is not None and _do_terms_cover_patterns(
                left, dict.fromkeys([*wide, *terms])
            ):
                return True
        return False

    def _select_terms_containing_targets(
        self, terms: Iterable[_ResourceTerm], targets: Iterable[_ResourceTerm]
    ) -> list[_ResourceTerm] | None:
        """List terms whose pattern contains a target; None if a target has none."""
        found = []
        for target in targets:
            holding = [
                t for t in terms if self._covers_cached(PatternTerm(t.pattern), target)
            ]
            if not holding:
                return None
            found += holding
        return found


class _PartsByPrefix:
    """Kept parts of one account, by the literal prefix of their patterns."""

    def __init__(self) -> None:
        self.parts: list[ReachAnswer] = []
        self._starting: dict[str, list[ReachAnswer]] = defaultdict(list)

    def add_allowed_part(self, part: ReachAnswer) -> None:
        """Add the answer on an allowed part, indexed by its literal prefix."""
        self.parts.append(part)
        self._starting[
            get_prefix_before_wildcard(_get_resource_pattern(part).pattern[-1])
        ].append(part)

    def list_prefix_matches(self, term: _ResourceTerm) -> Iterator[ReachAnswer]:
        """List the parts whose literal prefix is a prefix of a term."""
        text = term.pattern[-1]
        for length in range(len(text) + 1):
            yield from self._starting.get(text[:length], ())


class UnconditionalParts:
    """Unconditional parts, by account."""

    def __init__(self) -> None:
        self._kept: dict[str, _PartsByPrefix] = defaultdict(_PartsByPrefix)
        self._covered: dict[tuple[str, _ResourceTerm], bool] = {}

    def add_sure_part(self, account: str, part: ReachAnswer) -> None:
        """Add an allowed part of the ARN pattern, if it has no condition."""
        if part.formula == TRUE:
            self._kept[account].add_allowed_part(part)
            self._covered.clear()

    def does_part_cover_row(self, account: str, row: PermissionRow) -> bool:
        """Return whether an already allowed part of an account covers a row."""
        key = account, row.resources
        found = self._covered.get(key)
        if found is None:
            near = self._kept[account].list_prefix_matches(row.resources)
            found = any(
                covers(RESOURCES, _get_resource_pattern(part), row.resources)
                for part in near
            )
            self._covered[key] = found
        return found


def _do_terms_cover_patterns(
    remaining: list[_ResourceTerm], terms: Iterable[_ResourceTerm]
) -> bool:
    """Return whether these ARN patterns together cover all remaining ones."""
    for term in terms:
        remaining = _subtract_pattern_from_each(remaining, term)
        if not remaining:
            return True
        if len(remaining) > _MAX_REMAINING_TERMS:
            return False
    return not remaining


def _combine_part_answers(
    best_answer: ReachAnswer,
    deciding_parts: Sequence[ReachAnswer],
    parts: Sequence[ReachAnswer],
    formula: Formula,
    extent: PatternExtent,
) -> ReachAnswer:
    """Build the combined answer from the best answer and the deciding parts."""
    first = (
        best_answer
        if best_answer.formula == TRUE or not deciding_parts
        else deciding_parts[0]
    )
    said = dict.fromkeys(d for part in deciding_parts for d in part.determining)
    gaps = dict.fromkeys(gap for part in deciding_parts for gap in part.gaps)
    return replace(
        first,
        formula=formula,
        determining=tuple(said) or best_answer.determining,
        gaps=tuple(gaps),
        row=None,
        covers=extent,
        parts=tuple(parts),
        own=None,
    )


def _does_condition_imply(formula: Formula, other: Formula) -> bool:
    """Return whether a condition implies another, compared alternative by alternative."""
    return all(any(less <= more for less in other) for more in formula)


def format_part_pattern(part: ReachAnswer) -> str:
    """Format the ARN pattern that one answer of a union speaks of."""
    return (
        format_resource_pattern(part.row.resources, part.row.shown) if part.row else "*"
    )


def list_arn_patterns_of_question(
    accounts: CompiledAccounts, action: str, resource: str
) -> tuple[ArnParts, ...]:
    """List the ARN patterns that a question about a pattern consists of.

    For `*` these are the ARN patterns of the resource types of the action.
    """
    if resource == "*":
        return list_arns_of_action(accounts.catalogue, action)
    return (split_glob_arn(encode_glob(resource)),)


def list_example_arns(
    accounts: CompiledAccounts,
    action: str,
    resource: str,
    account: str,
    granted_patterns: Iterable[ArnParts],
) -> Iterator[str]:
    """Yield example ARNs that a pattern matches, for each resource type of an action.

    Args:
        accounts: The compiled accounts.
        action: The action.
        resource: The pattern.
        account: Number of the account whose resources they are.
        granted_patterns: Patterns, of each of which one resource is written, too.
    """
    asked = split_glob_arn(encode_glob(resource))
    own = (ANY_TEXT, "aws", ANY_TEXT, ANY_TEXT, account or ANY_TEXT, ANY_TEXT)
    kinds = list_arns_of_action(accounts.catalogue, action)
    for kind, inside in product(kinds, (ANY_ARN, *granted_patterns)):
        forms = [one for one in (asked, kind, inside, own) if one != ANY_ARN]
        texts = [find_matching_text(tuple(same)) for same in zip(*forms, strict=True)]
        # The account of the resource type, or of the pattern, may be another one.
        texts[_ACCOUNT] = texts[_ACCOUNT] or find_matching_text(
            tuple(form[_ACCOUNT] for form in forms[:-1])
        )
        if all(text is not None for text in texts):
            yield decode_glob(":".join(text or "" for text in texts))


def _subtract_pattern_from_each(
    remaining: Iterable[PatternTerm[ArnParts]], removed: PatternTerm[ArnParts]
) -> list[PatternTerm[ArnParts]]:
    """Subtract a pattern from each of several patterns."""
    found: list[PatternTerm[ArnParts]] = []
    for one in remaining:
        if are_patterns_disjoint(RESOURCES, one, removed):
            found.append(one)
            continue
        rest = subtract_pattern(RESOURCES, one, removed)
        found += [one] if rest is None else rest
    return found


def _fill_wildcard_account(target: ArnParts, part: ReachAnswer) -> ArnParts:
    """Replace a wildcard partition and account by those of the caller."""
    if target == ANY_ARN or len(target) <= _ACCOUNT:
        return target
    own = {_PARTITION: _get_partition(part), _ACCOUNT: _get_account(part)}
    return tuple(
        own.get(at) or text if text == ANY_TEXT else text
        for at, text in enumerate(target)
    )


def _get_partition(part: ReachAnswer) -> str:
    """Return the partition of a part's caller."""
    pieces = part.actor.split(":", 2)
    return pieces[1] if len(pieces) > 2 and pieces[0] == "arn" else "aws"


def _get_account(part: ReachAnswer) -> str:
    """Return the account of a part's caller."""
    pieces = part.actor.split(":", 5)
    return pieces[_ACCOUNT] if len(pieces) > _ACCOUNT else ""


def _get_resource_pattern(part: ReachAnswer) -> PatternTerm[ArnParts]:
    """Return the resource pattern of a part."""
    return part.row.resources if part.row else PatternTerm(ANY_ARN)


def _is_independent_of_resource_name(formula: Formula) -> bool:
    """Return whether no condition is about the resource that a call names."""
    return not any(
        a.key in _RESOURCE_NAMING_KEYS for alternative in formula for a in alternative
    )


def _has_uniform_alternative(formula: Formula) -> bool:
    """Return whether some alternative is equal for every resource of a part."""

    def plain(alternative: frozenset[ConditionAtom]) -> bool:
        return not any(a.key in _RESOURCE_NAMING_KEYS for a in alternative)

    return any(map(plain, formula))
