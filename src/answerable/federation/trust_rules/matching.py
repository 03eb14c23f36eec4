"""Matching of workloads against trust rules, with the first mismatch of each rule.

A mismatch is described in terms of the rule. Values of the token are never repeated.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from answerable.federation.trust_rules.glob import fits
from answerable.federation.trust_rules.overlap import Value, same
from answerable.federation.trust_rules.subject_validation import path_text
from answerable.model.attestation import Attestation, Attestor
from answerable.model.claims import ClaimPath, Scalar, SignedClaims
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    TrustRule,
)

ROOT = 0

Leaves = Mapping[ClaimPath, Value]
Workload = SignedClaims | Attestation


@dataclass(frozen=True, slots=True)
class Claimed:
    """Unsigned claims, for a dry run only.

    Attributes:
        issuer: Name of the supposed issuer in the configuration.
        leaves: As listed by `federate.reading.read_leaves`.
    """

    issuer: str
    leaves: tuple[tuple[ClaimPath, Value], ...]


Supposed = Workload | Claimed


class Miss(StrEnum):
    """Kind of mismatch of a claim."""

    MISSING = "missing"
    KIND = "kind"  # of another type than the rule's
    OTHER = "other"


class Matched(msgspec.Struct, frozen=True, gc=False):
    """A rule that matches.

    Attributes:
        used: Pairs (claim or fact, value) that it used, for evidence.
    """

    rule: TrustRule
    used: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A rule that does not match.

    Attributes:
        rule: Id of the rule.
        at: The first claim or fact that differs, e.g. `repository_id`.
        expected: The condition of the rule.
    """

    rule: str
    at: str
    miss: Miss
    expected: str


def leaves_of(workload: Supposed) -> Leaves:
    """Return every claim of a token by its path; empty for an attestation."""
    return {} if isinstance(workload, Attestation) else dict(workload.leaves)


def explain(
    rules: Iterable[TrustRule], workload: Supposed
) -> tuple[Matched | Failed, ...]:
    """Match every rule, with the first mismatch of each."""
    leaves = leaves_of(workload)
    return tuple(hold(rule, workload, leaves) for rule in rules)


def hold(rule: TrustRule, workload: Supposed, leaves: Leaves) -> Matched | Failed:
    """Match a workload, with its claims by path, against one rule."""
    used: list[tuple[str, str]] = []
    for at, wanted, found in _asked(rule, workload, leaves):
        if (miss := wanted.miss(found)) is not None:
            return Failed(rule.id, at, miss, str(wanted))
        used.append((at, _written(found)))
    return Matched(rule, tuple(used))


class _Equal(msgspec.Struct, frozen=True, gc=False):
    value: Value

    def miss(self, found: Value | None) -> Miss | None:
        if found is None:
            return Miss.MISSING
        if same(self.value, found):
            return None
        return Miss.OTHER if type(self.value) is type(found) else Miss.KIND

    def __str__(self) -> str:
        return f"equal to {_written(self.value)}"


class _Fits(msgspec.Struct, frozen=True, gc=False):
    pattern: str

    def miss(self, found: Value | None) -> Miss | None:
        if found is None:
            return Miss.MISSING
        if not isinstance(found, str):
            return Miss.KIND
        return None if fits(self.pattern, found) else Miss.OTHER

    def __str__(self) -> str:
        return f"like {self.pattern}"


class _NotRoot(msgspec.Struct, frozen=True, gc=False):
    def miss(self, found: Value | None) -> Miss | None:
        return Miss.OTHER if found == ROOT else None

    def __str__(self) -> str:
        return "not the superuser"


_Wanted = _Equal | _Fits | _NotRoot


def _asked(
    rule: TrustRule, workload: Supposed, leaves: Leaves
) -> Iterator[tuple[str, _Wanted, Value | None]]:
    """Yield the conditions of a rule with the values found."""
    match rule.subject:
        case IssuedSubject() as subject:
            issuer = None if isinstance(workload, Attestation) else workload.issuer
            yield "issuer", _Equal(subject.issuer), issuer
            for path, value in subject.match:
                yield path_text(path), _Equal(value), leaves.get(path)
            for path, pattern in subject.match_glob:
                yield path_text(path), _Fits(pattern), leaves.get(path)
        case PeerSubject() as peer:
            facts = _facts(workload)
            for name, wanted in _of_peer(peer):
                yield name, wanted, facts.get(name)
        case LaunchedSubject() as launched:
            facts = _facts(workload)
            for name, wanted in _of_launched(launched, str(rule.agent)):
                yield name, wanted, facts.get(name)


def _of_peer(subject: PeerSubject) -> Iterator[tuple[str, _Wanted]]:
    yield "attestor", _Equal(Attestor.UNIX_PEER.value)
    yield "uid", _Equal(subject.uid)
    if subject.gid is not None:
        yield "gid", _Equal(subject.gid)
    if subject.unit:
        yield "unit", _Equal(subject.unit)
    if subject.container:
        yield "container", _Equal(subject.container)


def _of_launched(subject: LaunchedSubject, agent: str) -> Iterator[tuple[str, _Wanted]]:
    yield "attestor", _Equal(Attestor.LAUNCHER.value)
    yield "agent", _Equal(agent)
    yield "started_by", _Equal(subject.started_by)
    uid = subject.runs_as
    yield "uid", _NotRoot() if uid is None else _Equal(uid)
    if subject.program:
        yield "started", _Equal(subject.program)


def _facts(workload: Supposed) -> Mapping[str, Scalar]:
    """Return the attested facts that rules can use."""
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


def _written(value: Value | None) -> str:
    match value:
        case tuple():
            return "[" + ", ".join(map(_written, value)) + "]"
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return str(value)
