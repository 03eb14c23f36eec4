"""Parse `userIdentity` elements with a cache: equal bytes are parsed once."""

from dataclasses import dataclass

import msgspec

from answerable.connectors.cloudtrail.parse.caller import (
    CloudTrailCaller,
    resolve_caller,
)
from answerable.connectors.cloudtrail.parse.record_types import (
    CloudTrailRecord,
    Flag,
    UserIdentity,
)

_IDENTITY_DECODER = msgspec.json.Decoder(UserIdentity | None)
_NO_IDENTITY = UserIdentity()
_MAX_CACHED = 4_000
_MAX_CACHED_BYTES = 2048  # a longer element is read each time: what is kept stays small
_cache: dict[bytes, "ParsedUserIdentity"] = {}


@dataclass(slots=True)
class ParsedUserIdentity:
    """Parsed `userIdentity`.

    Attributes:
        identity: Identity as in the record.
        caller: Caller, None where it also depends on the rest of the record.
        has_unique_keys: False if a key that determines the caller may be repeated.
        mfa: MFA flag as a word.
        issuer_id: Unique id of the session's issuer.
        source_identity: Source identity set by the caller.
    """

    identity: UserIdentity
    caller: CloudTrailCaller | None
    has_unique_keys: bool
    mfa: str
    issuer_id: str
    source_identity: str


def parse_user_identity(element: bytes) -> ParsedUserIdentity:
    """Parse the `userIdentity` element of a CloudTrail record.

    Raises:
        msgspec.DecodeError: It has another form.
    """
    who = _cache.get(element)
    if who is None:
        who = _decode_user_identity(element)
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        if len(element) <= _MAX_CACHED_BYTES:
            _cache[element] = who
    return who


def _decode_user_identity(element: bytes) -> ParsedUserIdentity:
    """Decode a `userIdentity`, with its caller if independent of the record."""
    identity = _IDENTITY_DECODER.decode(element) or _NO_IDENTITY
    context = identity.session_context
    attributes = context.attributes if context else None
    issuer = context.session_issuer if context else None
    return ParsedUserIdentity(
        identity,
        resolve_caller(CloudTrailRecord(), identity) if identity.account_id else None,
        has_unique_caller_keys(element, identity),
        flag_to_text(attributes.mfa_authenticated if attributes else None),
        (issuer.principal_id if issuer else "") or "",
        (context.source_identity if context else "") or "",
    )


def derive_caller(
    record: CloudTrailRecord, user_identity: ParsedUserIdentity
) -> CloudTrailCaller:
    """Return the caller of a record, cached if independent of the record."""
    if (
        user_identity.caller is None
        or record.event_name == "ConsoleLogin"
        or record.event_type == "AwsServiceEvent"
    ):
        return resolve_caller(record, user_identity.identity)
    return user_identity.caller


def has_unique_caller_keys(element: bytes, identity: UserIdentity) -> bool:
    """Return whether no `userIdentity` key that names the caller occurs twice."""
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


def flag_to_text(flag: Flag) -> str:
    """Return a boolean or text flag as text, empty if absent."""
    if isinstance(flag, bool):
        return "true" if flag else "false"
    return flag or ""
