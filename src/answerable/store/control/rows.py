"""Delegations and tickets as they lie in a row: JSON of the nouns, fields by name.

A later release appends fields with defaults, so an older row still reads.
"""

import msgspec

from answerable.model.delegation import Delegation, Ticket

_ENCODE = msgspec.json.Encoder().encode
_DELEGATION = msgspec.json.Decoder(Delegation)
_TICKET = msgspec.json.Decoder(Ticket)


def written(noun: Delegation | Ticket) -> str:
    """Give the text of a row."""
    return _ENCODE(noun).decode()


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
