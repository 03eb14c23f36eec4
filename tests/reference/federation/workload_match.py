"""Reference match of a workload against a trust rule."""

import re
import unicodedata

from answerable.model.token_claims import SignedClaims
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    TrustRule,
)
from answerable.model.workload_attestation import Attestation, Attestor

Workload = SignedClaims | Attestation


def fits(rule: TrustRule, workload: Workload) -> bool:
    """Return whether a workload fits a rule."""
    match rule.subject, workload:
        case IssuedSubject(issuer, equal, like), SignedClaims():
            return (
                issuer == workload.issuer
                and all(
                    _typed(workload.find_claim_at_path(*at)) == _typed(v)
                    for at, v in equal
                )
                and all(
                    _is_like(workload.find_claim_at_path(*at), pattern)
                    for at, pattern in like
                )
            )
        case PeerSubject(uid, gid, unit, container), Attestation():
            return (
                workload.attestor is Attestor.UNIX_PEER
                and workload.uid == uid
                and (gid is None or workload.gid == gid)
                and (not unit or workload.unit == unit)
                and (not container or workload.container == container)
            )
        case LaunchedSubject(by, _, runs_as, program), Attestation():
            return (
                workload.attestor is Attestor.LAUNCHER
                and workload.agent == rule.agent
                and workload.started_by == by
                and (workload.uid != 0 if runs_as is None else workload.uid == runs_as)
                and (not program or workload.started == program)
            )
        case _:
            return False


def _typed(value: object) -> object:
    if isinstance(value, tuple):
        return [_typed(each) for each in value]
    return type(value), value


def _is_like(value: object, pattern: str) -> bool:
    # One or more of: visible ASCII but a slash; letters and digits that NFKC keeps.
    one = r"(?:[ -.0-~]|(?![\x00-\x7f])\w)"
    said = "".join(f"{one}+" if c == "*" else re.escape(c) for c in pattern)
    if not isinstance(value, str) or not re.fullmatch(said, value, re.DOTALL):
        return False
    if value == pattern or "*" not in pattern or value.isascii():
        return True
    return unicodedata.normalize("NFKC", value) == value and "\u30ce" not in value
