"""Delegations and tickets as they lie in a row: JSON of the nouns, fields by name.

A later release appends fields with defaults, so an older row still reads.
"""

import msgspec

from answerable.model.delegation import Delegation, Ticket
from answerable.store.control.contract import IssuedToken

_ENCODE = msgspec.json.Encoder().encode
_DELEGATION = msgspec.json.Decoder(Delegation)
_TICKET = msgspec.json.Decoder(Ticket)


def written(noun: Delegation | Ticket) -> str:
    """Give the text of a row."""
    return _ENCODE(noun).decode()


def row_of(link: Delegation) -> tuple[str, str | None, int, str]:
    """Give id, parent, end and text of a delegation."""
    return link.id, link.parent or None, link.expires, written(link)


def row_of_token(token: IssuedToken) -> tuple[str, str, bytes, int, int]:
    """Give the columns of a token, as SQLite keeps it: its delegation first."""
    place = token.delegation, token.jti
    return *place, token.sha256, token.expires, token.revoked


def read_delegation(text: str | bytes) -> Delegation:
    """Read the text of a row."""
    return _DELEGATION.decode(text)


def read_ticket(text: str | bytes) -> Ticket:
    """Read the text of a row."""
    return _TICKET.decode(text)


class Subject:
    """Whom a kill names, looked for in the text of delegations.

    Args:
        subject: `agent:...`, `person:...` or `rule:ID`.
    """

    def __init__(self, subject: str) -> None:
        kind, _, rest = subject.partition(":")
        self._value = rest if kind == "rule" else subject
        self._fields = _NAMED_IN.get(kind, ("agent",))
        self.spelled = _ENCODE(self._value).decode()  # what a row has to contain

    def is_named(self, text: str) -> bool:
        """Tell whether a delegation names it where it counts."""
        found = read_delegation(text)
        return any(getattr(found, field) == self._value for field in self._fields)


_NAMED_IN = {"rule": ("rule",), "person": ("sub", "owner")}
