"""Effects of a call: issued credentials, and created or deleted identities.

Source: STS, IAM and Roles Anywhere API references; the types follow
`responseElements` in CloudTrail. Secrets in the same answers are never read.
"""

from dataclasses import dataclass

import msgspec

from answerable.connectors.cloudtrail.parse.caller import Caller, role_of_session
from answerable.connectors.cloudtrail.parse.record_types import NULL, Record
from answerable.connectors.cloudtrail.parse.timestamps import expiry
from answerable.model.ids import is_access_key_id


class _Credentials(msgspec.Struct, rename="camel"):
    access_key_id: str | None = None
    expiration: str | None = None


class _Assumed(msgspec.Struct, rename="camel"):
    arn: str | None = None


class _AccessKey(msgspec.Struct, rename="camel"):
    access_key_id: str | None = None
    user_name: str | None = None


class _Set(msgspec.Struct, rename="camel"):
    credentials: _Credentials | None = None
    role_arn: str | None = None
    assumed_role_user: _Assumed | None = None


class _Named(msgspec.Struct, rename="camel"):
    arn: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    credentials: _Credentials | None = None
    assumed_role_user: _Assumed | None = None
    access_key: _AccessKey | None = None
    credential_set: list[_Set] | None = None
    role: _Named | None = None
    user: _Named | None = None


class _Asked(msgspec.Struct, rename="camel"):
    role_arn: str | None = None
    role_name: str | None = None
    user_name: str | None = None
    target_principal: str | None = None
    source_identity: str | None = None
    role_session_name: str | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_ASKED = msgspec.json.Decoder(_Asked)

ROLES = {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"}
SAME = {"GetSessionToken", "GetFederationToken"}
_SOURCES = {"sts.amazonaws.com", "iam.amazonaws.com", "rolesanywhere.amazonaws.com"}
_NAMES = ROLES | SAME | {"CreateAccessKey", "CreateSession"}
_NAMES |= {"CreateRole", "DeleteRole", "CreateUser", "DeleteUser"}
_NAMES |= {"CreateServiceLinkedRole", "DeleteServiceLinkedRole"}


@dataclass(slots=True)
class Outcomes:
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


def concerns(record: Record) -> bool:
    """Tell whether the call can issue, create or delete."""
    return record.event_source in _SOURCES and record.event_name in _NAMES


def outcomes_of(record: Record, caller: Caller) -> Outcomes | None:
    """Parse the effects of a call; None for an unknown form."""
    try:
        asked = _decode_asked(record)
        answer = _decode_answer(record)
    except msgspec.DecodeError:
        return None
    found = Outcomes(
        session_name=asked.role_session_name or "",
        source_identity=asked.source_identity or "",
    )
    name = record.event_name or ""
    if name.startswith(("Create", "Delete")) and name != "CreateSession":
        if not record.error_code:
            _lifecycle(found, name, asked, answer, caller)
    elif name == "CreateSession":
        for each in answer.credential_set or ():
            _issue(found, each.credentials, each.role_arn or _session_role(each))
    else:
        _issue(found, answer.credentials, _acts_as(name, asked, answer, caller))
    return found


def _decode_asked(record: Record) -> _Asked:
    raw = record.request_parameters
    return _Asked() if raw == NULL else _ASKED.decode(raw)


def _decode_answer(record: Record) -> _Answer:
    raw = record.response_elements
    return _Answer() if raw == NULL else _ANSWER.decode(raw)


def _acts_as(name: str, asked: _Asked, answer: _Answer, caller: Caller) -> str:
    if name in SAME:
        return caller.identity
    if name == "AssumeRoot":
        return asked.target_principal or ""
    derived = answer.assumed_role_user.arn if answer.assumed_role_user else None
    return asked.role_arn or role_of_session(derived or "")


def _session_role(each: _Set) -> str:
    arn = each.assumed_role_user.arn if each.assumed_role_user else None
    return role_of_session(arn or "")


def _issue(found: Outcomes, issued: _Credentials | None, to: str) -> None:
    if issued and issued.access_key_id and is_access_key_id(issued.access_key_id):
        found.issued = "cred:aws/" + issued.access_key_id
        found.issued_to = to
        found.issued_until = expiry(issued.expiration or "")


def _lifecycle(
    found: Outcomes, name: str, asked: _Asked, answer: _Answer, caller: Caller
) -> None:
    if name == "CreateAccessKey":
        key = answer.access_key
        if key and key.access_key_id and is_access_key_id(key.access_key_id):
            found.issued = "cred:aws/" + key.access_key_id
            user = key.user_name or asked.user_name
            own = not user or caller.identity.endswith("/" + user)
            found.issued_to = caller.identity if own else _arn(caller, "user", user)
        return
    kind = "role" if name.endswith("Role") else "user"
    made = answer.role if kind == "role" else answer.user
    named = asked.role_name if kind == "role" else asked.user_name
    identity = (made.arn if made else None) or _arn(caller, kind, named)
    if name.startswith("Create"):
        found.created = identity
    else:
        found.deleted = identity


def _arn(caller: Caller, kind: str, name: str | None) -> str:
    """Build the ARN of an identity from its short name, without its path."""
    if not name or not caller.account:
        return ""
    partition = "aws"
    if caller.identity.startswith("arn:"):
        partition = caller.identity.split(":", 2)[1]
    return f"arn:{partition}:iam::{caller.account}:{kind}/{name}"
