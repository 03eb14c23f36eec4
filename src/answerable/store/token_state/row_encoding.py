"""Row encoding of delegations and tickets: JSON objects by field name.

A later release appends fields with defaults, so older rows stay readable.
"""

import msgspec

from answerable.model.delegation import Delegation, Ticket
from answerable.store.token_state.interface import IssuedToken

_ENCODE = msgspec.json.Encoder().encode
_DELEGATION = msgspec.json.Decoder(Delegation)
_TICKET = msgspec.json.Decoder(Ticket)


def written(noun: Delegation | Ticket) -> str:
    """Encode a delegation or ticket as JSON text."""
    return _ENCODE(noun).decode()


def row_of(link: Delegation) -> tuple[str, str | None, int, str]:
    """Return the columns of a delegation: id, parent, expiry and text."""
    return link.id, link.parent or None, link.expires, written(link)


def row_of_token(token: IssuedToken) -> tuple[str, str, bytes, int, int]:
    """Return the columns of a token for SQLite, its delegation first."""
    place = token.delegation, token.jti
    return *place, token.sha256, token.expires, token.revoked


def read_delegation(text: str | bytes) -> Delegation:
    """Read the text of a row."""
    return _DELEGATION.decode(text)


def read_ticket(text: str | bytes) -> Ticket:
    """Read the text of a row."""
    return _TICKET.decode(text)


class Subject:
    """Matcher for the subject of a revocation in the text of delegations.

    Args:
        subject: `agent:...`, `person:...` or `rule:ID`.
    """

    def __init__(self, subject: str) -> None:
        kind, _, rest = subject.partition(":")
        self._value = rest if kind == "rule" else subject
        self._fields = _NAMED_IN.get(kind, ("agent",))
        self.spelled = _ENCODE(self._value).decode()  # what a row has to contain

    def is_named(self, text: str) -> bool:
        """Tell whether a delegation names the subject in a relevant field."""
        found = read_delegation(text)
        return any(getattr(found, field) == self._value for field in self._fields)


_NAMED_IN = {"rule": ("rule",), "person": ("sub", "owner")}
