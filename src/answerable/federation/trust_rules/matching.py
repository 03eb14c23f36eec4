"""Match workloads against trust rules; report the first mismatch of each rule.

A mismatch is described in terms of the rule. Values of the token are never repeated.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from answerable.federation.trust_rules.glob import matches_anchored_glob
from answerable.federation.trust_rules.overlap import ClaimValue, are_equal_with_type
from answerable.federation.trust_rules.subject_validation import format_claim_path
from answerable.model.token_claims import ClaimPath, ClaimScalar, SignedClaims
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    TrustRule,
)
from answerable.model.workload_attestation import Attestation, Attestor

ROOT_UID = 0

LeavesByPath = Mapping[ClaimPath, ClaimValue]
Workload = SignedClaims | Attestation


@dataclass(frozen=True, slots=True)
class UnsignedClaims:
    """Unsigned claims, for a dry run only.

    Attributes:
        issuer: Name of the supposed issuer in the configuration.
        leaves: As listed by `federation.claim_parsing.flatten_claims`.
    """

    issuer: str
    leaves: tuple[tuple[ClaimPath, ClaimValue], ...]


MatchSubject = Workload | UnsignedClaims


class MismatchKind(StrEnum):
    """Kind of mismatch of a claim."""

    MISSING = "missing"
    KIND = "kind"  # of another type than the rule's
    OTHER = "other"


class MatchedRule(msgspec.Struct, frozen=True, gc=False):
    """A rule that matches.

    Attributes:
        used: Pairs (claim or fact, value) that it used, for evidence.
    """

    rule: TrustRule
    used: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class UnmatchedRule:
    """A rule that does not match.

    Attributes:
        rule: Id of the rule.
        at: The first claim or fact that differs, e.g. `repository_id`.
        expected: The condition of the rule.
    """

    rule: str
    at: str
    miss: MismatchKind
    expected: str


def claims_by_path(workload: MatchSubject) -> LeavesByPath:
    """Return every claim of a token by its path; empty for an attestation."""
    return {} if isinstance(workload, Attestation) else dict(workload.leaves)


def explain_mismatches(
    rules: Iterable[TrustRule], workload: MatchSubject
) -> tuple[MatchedRule | UnmatchedRule, ...]:
    """Match a workload against every rule, with the first mismatch of each."""
    leaves = claims_by_path(workload)
    return tuple(match_rule(rule, workload, leaves) for rule in rules)


def match_rule(
    rule: TrustRule, workload: MatchSubject, leaves: LeavesByPath
) -> MatchedRule | UnmatchedRule:
    """Match a workload, with its claims by path, against one rule."""
    used: list[tuple[str, str]] = []
    for at, wanted, found in _list_conditions(rule, workload, leaves):
        if (miss := wanted.find_mismatch(found)) is not None:
            return UnmatchedRule(rule.id, at, miss, str(wanted))
        used.append((at, _format_claim_value(found)))
    return MatchedRule(rule, tuple(used))


class _EqualCondition(msgspec.Struct, frozen=True, gc=False):
    value: ClaimValue

    def find_mismatch(self, actual: ClaimValue | None) -> MismatchKind | None:
        """Return how a value differs from the expected one; None if equal."""
        if actual is None:
            return MismatchKind.MISSING
        if are_equal_with_type(self.value, actual):
            return None
        return (
            MismatchKind.OTHER
            if type(self.value) is type(actual)
            else MismatchKind.KIND
        )

    def __str__(self) -> str:
        return f"equal to {_format_claim_value(self.value)}"


class _GlobCondition(msgspec.Struct, frozen=True, gc=False):
    pattern: str

    def find_mismatch(self, actual: ClaimValue | None) -> MismatchKind | None:
        """Return why a value does not match the pattern; None if it does."""
        if actual is None:
            return MismatchKind.MISSING
        if not isinstance(actual, str):
            return MismatchKind.KIND
        return (
            None if matches_anchored_glob(self.pattern, actual) else MismatchKind.OTHER
        )

    def __str__(self) -> str:
        return f"like {self.pattern}"


class _NotRootCondition(msgspec.Struct, frozen=True, gc=False):
    def find_mismatch(self, actual: ClaimValue | None) -> MismatchKind | None:
        """Return a mismatch if the uid is the superuser's."""
        return MismatchKind.OTHER if actual == ROOT_UID else None

    def __str__(self) -> str:
        return "not the superuser"


_Condition = _EqualCondition | _GlobCondition | _NotRootCondition


def _list_conditions(
    rule: TrustRule, workload: MatchSubject, leaves: LeavesByPath
) -> Iterator[tuple[str, _Condition, ClaimValue | None]]:
    """Yield the conditions of a rule, each with the workload's value."""
    match rule.subject:
        case IssuedSubject() as subject:
            issuer = None if isinstance(workload, Attestation) else workload.issuer
            yield "issuer", _EqualCondition(subject.issuer), issuer
            for path, value in subject.match:
                yield format_claim_path(path), _EqualCondition(value), leaves.get(path)
            for path, pattern in subject.match_glob:
                yield format_claim_path(path), _GlobCondition(pattern), leaves.get(path)
        case PeerSubject() as peer:
            facts = _list_attested_facts(workload)
            for name, wanted in _iter_socket_peer_conditions(peer):
                yield name, wanted, facts.get(name)
        case LaunchedSubject() as launched:
            facts = _list_attested_facts(workload)
            for name, wanted in _iter_launcher_conditions(launched, str(rule.agent)):
                yield name, wanted, facts.get(name)


def _iter_socket_peer_conditions(
    subject: PeerSubject,
) -> Iterator[tuple[str, _Condition]]:
    """Yield the conditions on the kernel's facts about a socket peer."""
    yield "attestor", _EqualCondition(Attestor.UNIX_PEER.value)
    yield "uid", _EqualCondition(subject.uid)
    if subject.gid is not None:
        yield "gid", _EqualCondition(subject.gid)
    if subject.unit:
        yield "unit", _EqualCondition(subject.unit)
    if subject.container:
        yield "container", _EqualCondition(subject.container)


def _iter_launcher_conditions(
    subject: LaunchedSubject, agent: str
) -> Iterator[tuple[str, _Condition]]:
    """Yield the conditions on the facts about an agent that a launcher started."""
    yield "attestor", _EqualCondition(Attestor.LAUNCHER.value)
    yield "agent", _EqualCondition(agent)
    yield "started_by", _EqualCondition(subject.started_by)
    uid = subject.runs_as
    yield "uid", _NotRootCondition() if uid is None else _EqualCondition(uid)
    if subject.program:
        yield "started", _EqualCondition(subject.program)


def _list_attested_facts(workload: MatchSubject) -> Mapping[str, ClaimScalar]:
    """Return the attested facts that rules can match; empty for a token."""
    if not isinstance(workload, Attestation):
        return {}
    return {
        "attestor": workload.attestor.value,
        "uid": workload.uid,
        "gid": workload.gid,
        "unit": workload.unit,
        "container": workload.container,
        "agent": workload.agent,
        "started_by": workload.started_by,
        "started": workload.started,
    }


def _format_claim_value(value: ClaimValue | None) -> str:
    """Format a claim value as text for evidence and messages."""
    match value:
        case tuple():
            return "[" + ", ".join(map(_format_claim_value, value)) + "]"
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return str(value)
