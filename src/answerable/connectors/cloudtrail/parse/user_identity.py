"""Cached parsing of `userIdentity`: equal bytes are parsed once."""

from dataclasses import dataclass

import msgspec

from answerable.connectors.cloudtrail.parse.caller import Caller, caller_of
from answerable.connectors.cloudtrail.parse.record_types import (
    Flag,
    Record,
    UserIdentity,
)

_WHO = msgspec.json.Decoder(UserIdentity | None)
_NOBODY = UserIdentity()
_CACHED = 4_000
_LONGEST = 2048  # a longer element is read each time: what is kept stays small
_known: dict[bytes, "Who"] = {}


@dataclass(slots=True)
class Who:
    """Parsed `userIdentity`.

    Attributes:
        identity: Identity as in the record.
        caller: Caller, None where it also depends on the rest of the record.
        plain: False if a key that determines the caller may be repeated.
        mfa: MFA flag as a word.
        issuer_id: Unique id of the session's issuer.
        source_identity: Source identity set by the caller.
    """

    identity: UserIdentity
    caller: Caller | None
    plain: bool
    mfa: str
    issuer_id: str
    source_identity: str


def who_of(element: bytes) -> Who:
    """Parse a `userIdentity`.

    Raises:
        msgspec.DecodeError: It has another form.
    """
    who = _known.get(element)
    if who is None:
        who = _read(element)
        if len(_known) >= _CACHED:
            _known.clear()
        if len(element) <= _LONGEST:
            _known[element] = who
    return who


def _read(element: bytes) -> Who:
    identity = _WHO.decode(element) or _NOBODY
    context = identity.session_context
    attributes = context.attributes if context else None
    issuer = context.session_issuer if context else None
    return Who(
        identity,
        caller_of(Record(), identity) if identity.account_id else None,
        is_plain(element, identity),
        word(attributes.mfa_authenticated if attributes else None),
        (issuer.principal_id if issuer else "") or "",
        (context.source_identity if context else "") or "",
    )


def called(record: Record, who: Who) -> Caller:
    """Return the caller of a record."""
    if (
        who.caller is None
        or record.event_name == "ConsoleLogin"
        or record.event_type == "AwsServiceEvent"
    ):
        return caller_of(record, who.identity)
    return who.caller


def is_plain(element: bytes, identity: UserIdentity) -> bool:
    """Tell whether each key that determines the caller is unique."""
    count = element.count
    context = identity.session_context
    issuer = context.session_issuer if context else None
    issued = 1 if issuer and issuer.arn is not None else 0
    return (
        count(b'"arn"') <= issued + (identity.arn is not None)
        and count(b'"accessKeyId"') <= 1
        and count(b'"sessionIssuer"') <= 1
        and count(b'"sessionContext"') <= 1
    )


def word(flag: Flag) -> str:
    """Return a flag as a word, empty if absent."""
    if isinstance(flag, bool):
        return "true" if flag else "false"
    return flag or ""
