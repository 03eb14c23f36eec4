"""Check whether one workload could match two trust rules.

Two rules of one issuer are disjoint if some claim would need two values, a value
outside a pattern, two patterns without a common text, or a value and an object.
Otherwise a token that matches both can exist, whether or not the issuer would ever sign
it.
"""

from answerable.federation.trust_rules.glob import (
    anchored_globs_intersect,
    matches_anchored_glob,
)
from answerable.model.token_claims import ClaimPath, ClaimScalar
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    TrustRule,
)

ClaimValue = ClaimScalar | tuple[ClaimScalar, ...]


def rules_overlap(one: TrustRule, other: TrustRule) -> bool:
    """Return whether one workload could match both rules."""
    match one.subject, other.subject:
        case IssuedSubject() as first, IssuedSubject() as second:
            return first.issuer == second.issuer and not _are_disjoint(first, second)
        case PeerSubject() as first, PeerSubject() as second:
            return first.uid == second.uid and all(
                a in (None, "", b) or b in (None, "")
                for a, b in (
                    (first.gid, second.gid),
                    (first.unit, second.unit),
                    (first.container, second.container),
                )
            )
        case LaunchedSubject() as first, LaunchedSubject() as second:
            # The launcher is asked for one agent.
            return (
                one.agent == other.agent
                and first.started_by == second.started_by
                and (
                    first.runs_as == second.runs_as
                    or None in (first.runs_as, second.runs_as)
                )
                and (
                    first.program == second.program
                    or "" in (first.program, second.program)
                )
            )
        case _:
            # A launched process is attested by its launcher only.
            return False


def are_equal_with_type(one: ClaimValue, other: ClaimValue) -> bool:
    """Return whether two values are equal in value and type: to Python, true is 1."""
    if isinstance(one, tuple):
        return (
            isinstance(other, tuple)
            and len(one) == len(other)
            and all(map(are_equal_with_type, one, other))
        )
    return type(one) is type(other) and one == other


def _are_disjoint(one: IssuedSubject, other: IssuedSubject) -> bool:
    """Return whether no token can match both subjects of one issuer."""
    equal: dict[ClaimPath, list[ClaimValue]] = {}
    globs: dict[ClaimPath, list[str]] = {}
    for subject in (one, other):
        for path, value in subject.match:
            equal.setdefault(path, []).append(value)
        for path, pattern in subject.match_glob:
            globs.setdefault(path, []).append(pattern)
    if _has_nested_paths([*equal, *globs]):
        return True
    return any(
        _cannot_match_all(equal.get(path, []), globs.get(path, []))
        for path in {**equal, **globs}
    )


def _has_nested_paths(paths: list[ClaimPath]) -> bool:
    """Return whether one claim would need to be a value and an object."""
    return any(
        len(path) > length and path[:length] in paths
        for path in paths
        for length in range(1, len(path))
    )


def _cannot_match_all(values: list[ClaimValue], patterns: list[str]) -> bool:
    """Return whether one claim cannot satisfy all values and patterns."""
    if values:
        first = values[0]
        return not all(
            are_equal_with_type(first, value) for value in values
        ) or not all(
            isinstance(first, str) and matches_anchored_glob(pattern, first)
            for pattern in patterns
        )
    # At most one of each rule, so that pairs are all there is to look at.
    return not all(
        anchored_globs_intersect(patterns[0], pattern) for pattern in patterns[1:]
    )
