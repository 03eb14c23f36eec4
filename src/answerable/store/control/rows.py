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


def subject_field(subject: str) -> tuple[tuple[str, ...], str]:
    """Give the fields of a delegation that can name a subject, and the value there."""
    kind, _, rest = subject.partition(":")
    if kind == "rule":
        return ("rule",), rest
    if kind == "person":
        return ("sub", "owner"), subject
    return ("agent",), subject
