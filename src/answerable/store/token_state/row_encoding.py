"""Encode delegations and tickets as database rows: JSON objects by field name.

A later release appends fields with defaults, so older rows stay readable.
"""

import msgspec

from answerable.model.delegation import Delegation, DelegationTicket
from answerable.store.token_state.interface import IssuedTokenRecord

_ENCODE = msgspec.json.Encoder().encode
_DELEGATION_DECODER = msgspec.json.Decoder(Delegation)
_TICKET_DECODER = msgspec.json.Decoder(DelegationTicket)


def encode_row_as_json(row: Delegation | DelegationTicket) -> str:
    """Encode a delegation or ticket as JSON text."""
    return _ENCODE(row).decode()


def build_delegation_row(delegation: Delegation) -> tuple[str, str | None, int, str]:
    """Build the columns of a delegation row: id, parent, expiry and JSON text."""
    return (
        delegation.id,
        delegation.parent or None,
        delegation.expires,
        encode_row_as_json(delegation),
    )


def build_token_row(token: IssuedTokenRecord) -> tuple[str, str, bytes, int, int]:
    """Build the columns of a token row for SQLite, its delegation first."""
    place = token.delegation, token.jti
    return *place, token.sha256, token.expires, token.revoked


def decode_delegation(text: str | bytes) -> Delegation:
    """Decode the JSON text of a delegation row."""
    return _DELEGATION_DECODER.decode(text)


def decode_ticket(text: str | bytes) -> DelegationTicket:
    """Decode the JSON text of a ticket row."""
    return _TICKET_DECODER.decode(text)


class SubjectMatcher:
    """Matcher for the subject of a revocation in the text of delegations.

    Args:
        subject: `agent:...`, `person:...` or `rule:ID`.
    """

    def __init__(self, subject: str) -> None:
        kind, _, rest = subject.partition(":")
        self._value = rest if kind == "rule" else subject
        self._fields = _FIELDS_OF_SUBJECT.get(kind, ("agent",))
        self.spelled = _ENCODE(self._value).decode()  # what a row has to contain

    def matches(self, text: str) -> bool:
        """Return whether a delegation (JSON text) names the subject."""
        found = decode_delegation(text)
        return any(getattr(found, field) == self._value for field in self._fields)


_FIELDS_OF_SUBJECT = {"rule": ("rule",), "person": ("sub", "owner")}
