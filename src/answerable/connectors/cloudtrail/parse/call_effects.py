"""Parse what a call issued or changed: credentials, created or deleted identities.

Source: STS, IAM and Roles Anywhere API references; the types follow
`responseElements` in CloudTrail. Secrets in the same answers are never read.
"""

from dataclasses import dataclass

import msgspec

from answerable.connectors.cloudtrail.parse.caller import (
    CloudTrailCaller,
    role_arn_of_session,
)
from answerable.connectors.cloudtrail.parse.record_types import NULL, CloudTrailRecord
from answerable.connectors.formats.timestamps import parse_expiry
from answerable.model.ids import is_access_key_id


class _StsCredentials(msgspec.Struct, rename="camel"):
    access_key_id: str | None = None
    expiration: str | None = None


class _AssumedRoleUser(msgspec.Struct, rename="camel"):
    arn: str | None = None


class _CreatedAccessKey(msgspec.Struct, rename="camel"):
    access_key_id: str | None = None
    user_name: str | None = None


class _CredentialSet(msgspec.Struct, rename="camel"):
    credentials: _StsCredentials | None = None
    role_arn: str | None = None
    assumed_role_user: _AssumedRoleUser | None = None


class _CreatedIdentity(msgspec.Struct, rename="camel"):
    arn: str | None = None


class _ResponseElements(msgspec.Struct, rename="camel"):
    credentials: _StsCredentials | None = None
    assumed_role_user: _AssumedRoleUser | None = None
    access_key: _CreatedAccessKey | None = None
    credential_set: list[_CredentialSet] | None = None
    role: _CreatedIdentity | None = None
    user: _CreatedIdentity | None = None


class _RequestParameters(msgspec.Struct, rename="camel"):
    role_arn: str | None = None
    role_name: str | None = None
    user_name: str | None = None
    target_principal: str | None = None
    source_identity: str | None = None
    role_session_name: str | None = None


_RESPONSE_DECODER = msgspec.json.Decoder(_ResponseElements)
_REQUEST_DECODER = msgspec.json.Decoder(_RequestParameters)

ASSUME_ROLE_CALLS = {
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
}
SAME_IDENTITY_CALLS = {"GetSessionToken", "GetFederationToken"}
_EFFECT_SOURCES = {
    "sts.amazonaws.com",
    "iam.amazonaws.com",
    "rolesanywhere.amazonaws.com",
}
_EFFECT_CALLS = (
    ASSUME_ROLE_CALLS | SAME_IDENTITY_CALLS | {"CreateAccessKey", "CreateSession"}
)
_EFFECT_CALLS |= {"CreateRole", "DeleteRole", "CreateUser", "DeleteUser"}
_EFFECT_CALLS |= {"CreateServiceLinkedRole", "DeleteServiceLinkedRole"}


@dataclass(slots=True)
class CallEffects:
    """Effects of a call; empty fields for none.

    Attributes:
        issued: Issued `cred:aws/...`.
        issued_to: Identity it acts as.
        issued_until: UTC nanoseconds.
        created: Identity created.
        deleted: Identity deleted.
        session_name: Name the caller chose for the session it started.
        source_identity: Source identity the caller set.
    """

    issued: str = ""
    issued_to: str = ""
    issued_until: int = 0
    created: str = ""
    deleted: str = ""
    session_name: str = ""
    source_identity: str = ""


def may_affect_identities(record: CloudTrailRecord) -> bool:
    """Return whether the call can issue a credential, or create or delete an identity."""
    return record.event_source in _EFFECT_SOURCES and record.event_name in _EFFECT_CALLS


def parse_call_effects(
    record: CloudTrailRecord, caller: CloudTrailCaller
) -> CallEffects | None:
    """Parse the effects of a call; None for an unknown form of answer."""
    try:
        asked = _decode_request(record)
        answer = _decode_response(record)
    except msgspec.DecodeError:
        return None
    found = CallEffects(
        session_name=asked.role_session_name or "",
        source_identity=asked.source_identity or "",
    )
    name = record.event_name or ""
    if name.startswith(("Create", "Delete")) and name != "CreateSession":
        if not record.error_code:
            _set_lifecycle_effects(found, name, asked, answer, caller)
    elif name == "CreateSession":
        for each in answer.credential_set or ():
            _set_issued_credential(
                found, each.credentials, each.role_arn or _role_of_credential_set(each)
            )
    else:
        _set_issued_credential(
            found,
            answer.credentials,
            _identity_of_issued_credential(name, asked, answer, caller),
        )
    return found


def _decode_request(record: CloudTrailRecord) -> _RequestParameters:
    """Decode a CloudTrail record's `requestParameters`."""
    raw = record.request_parameters
    return _RequestParameters() if raw == NULL else _REQUEST_DECODER.decode(raw)


def _decode_response(record: CloudTrailRecord) -> _ResponseElements:
    """Decode a CloudTrail record's `responseElements`."""
    raw = record.response_elements
    return _ResponseElements() if raw == NULL else _RESPONSE_DECODER.decode(raw)


def _identity_of_issued_credential(
    name: str,
    request: _RequestParameters,
    answer: _ResponseElements,
    caller: CloudTrailCaller,
) -> str:
    """Return the identity that the issued credential acts as."""
    if name in SAME_IDENTITY_CALLS:
        return caller.identity
    if name == "AssumeRoot":
        return request.target_principal or ""
    derived = answer.assumed_role_user.arn if answer.assumed_role_user else None
    return request.role_arn or role_arn_of_session(derived or "")


def _role_of_credential_set(credential_set: _CredentialSet) -> str:
    """Return the role whose session a credential set starts."""
    arn = (
        credential_set.assumed_role_user.arn
        if credential_set.assumed_role_user
        else None
    )
    return role_arn_of_session(arn or "")


def _set_issued_credential(
    effects: CallEffects, credentials: _StsCredentials | None, identity: str
) -> None:
    """Record the credential that a call issued, and the identity it is for."""
    if (
        credentials
        and credentials.access_key_id
        and is_access_key_id(credentials.access_key_id)
    ):
        effects.issued = "cred:aws/" + credentials.access_key_id
        effects.issued_to = identity
        effects.issued_until = parse_expiry(credentials.expiration or "")


def _set_lifecycle_effects(
    effects: CallEffects,
    name: str,
    request: _RequestParameters,
    answer: _ResponseElements,
    caller: CloudTrailCaller,
) -> None:
    """Set the access key or identity that a call created or deleted."""
    if name == "CreateAccessKey":
        key = answer.access_key
        if key and key.access_key_id and is_access_key_id(key.access_key_id):
            effects.issued = "cred:aws/" + key.access_key_id
            user = key.user_name or request.user_name
            own = not user or caller.identity.endswith("/" + user)
            effects.issued_to = (
                caller.identity if own else _build_identity_arn(caller, "user", user)
            )
        return
    kind = "role" if name.endswith("Role") else "user"
    made = answer.role if kind == "role" else answer.user
    named = request.role_name if kind == "role" else request.user_name
    identity = (made.arn if made else None) or _build_identity_arn(caller, kind, named)
    if name.startswith("Create"):
        effects.created = identity
    else:
        effects.deleted = identity


def _build_identity_arn(caller: CloudTrailCaller, kind: str, name: str | None) -> str:
    """Build the ARN of an identity from its short name, without its path."""
    if not name or not caller.account:
        return ""
    partition = "aws"
    if caller.identity.startswith("arn:"):
        partition = caller.identity.split(":", 2)[1]
    return f"arn:{partition}:iam::{caller.account}:{kind}/{name}"
