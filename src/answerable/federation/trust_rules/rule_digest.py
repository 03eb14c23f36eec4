"""Compute the digest of a trust rule: SHA-256 over canonical JSON (RFC 8785).

The order of claims, scopes, agents and grants does not matter. A valid rule holds only
ASCII text, integers and booleans, so sorting by character equals sorting by UTF-16
unit.
"""

import hashlib
import json
from dataclasses import asdict

from answerable.model.trust_rule import IssuedSubject, TokenGrant, TokenReuse, TrustRule


def canonical_rule_json(rule: TrustRule) -> bytes:
    """Encode a rule without its digest, canonically."""
    members: dict[str, object] = {
        "agent": rule.agent,
        "delegate_to": sorted(rule.delegate_to),
        "grants": sorted(
            (_build_canonical_grant(grant) for grant in rule.grants), key=_encode_json
        ),
        "id": rule.id,
        "on_behalf_of": sorted(rule.on_behalf_of),
        "subject": _build_canonical_subject(rule),
    }
    # Left out where it is the default: digests of older rules stay what they were.
    if rule.reuse is not TokenReuse.ONCE:
        members["reuse"] = rule.reuse.value
    return _encode_json(members)


def rule_digest(rule: TrustRule) -> str:
    """Return the SHA-256 of a trust rule, in hex."""
    return hashlib.sha256(canonical_rule_json(rule)).hexdigest()


def _build_canonical_grant(grant: TokenGrant) -> dict[str, object]:
    """Build the canonical members of a grant."""
    return {**asdict(grant), "scopes": sorted(grant.scopes)}


def _build_canonical_subject(rule: TrustRule) -> dict[str, object]:
    """Build the canonical members of a rule's subject."""
    subject = rule.subject
    members: dict[str, object] = {"kind": type(subject).__name__}
    if isinstance(subject, IssuedSubject):
        members["issuer"] = subject.issuer
        members["match"] = sorted(map(list, subject.match), key=_encode_json)
        members["match_glob"] = sorted(map(list, subject.match_glob), key=_encode_json)
        return members
    return members | asdict(subject)


def _encode_json(value: object) -> bytes:
    """Encode a value as compact JSON with sorted names."""
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str
    )
    return text.encode("utf-8", "surrogatepass")
