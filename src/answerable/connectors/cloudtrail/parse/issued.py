"""What a call issued, created or deleted: the joints and the ends of lineage.

Source: STS, IAM and Roles Anywhere API references; the shapes are those of
`responseElements` in CloudTrail. Secrets in the same answers are never read.
"""

from dataclasses import dataclass

import msgspec

from answerable.connectors.cloudtrail.parse.principals import Caller, role_of_session
from answerable.connectors.cloudtrail.parse.shapes import NULL, Record
from answerable.connectors.cloudtrail.parse.times import expiry
from answerable.model.ids import is_access_key_id


class _Credentials(msgspec.Struct):
    accessKeyId: str | None = None
    expiration: str | None = None


class _Assumed(msgspec.Struct):
    arn: str | None = None


class _AccessKey(msgspec.Struct):
    accessKeyId: str | None = None
    userName: str | None = None


class _Set(msgspec.Struct):
    credentials: _Credentials | None = None
    roleArn: str | None = None
    assumedRoleUser: _Assumed | None = None


class _Named(msgspec.Struct):
    arn: str | None = None


class _Answer(msgspec.Struct):
    credentials: _Credentials | None = None
    assumedRoleUser: _Assumed | None = None
    accessKey: _AccessKey | None = None
    credentialSet: list[_Set] | None = None
    role: _Named | None = None
    user: _Named | None = None


class _Asked(msgspec.Struct):
    roleArn: str | None = None
    roleName: str | None = None
    userName: str | None = None
    targetPrincipal: str | None = None
    sourceIdentity: str | None = None
    roleSessionName: str | None = None


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
    """What a call brought about, empty where nothing.

    Attributes:
        issued: `cred:aws/...`.
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
    """Tell whether the call is one that issues, creates or deletes."""
    return record.eventSource in _SOURCES and record.eventName in _NAMES


def outcomes_of(record: Record, caller: Caller) -> Outcomes | None:
    """Read what the call brought about; None when it says so in an unknown shape."""
    try:
        asked = _decode_asked(record)
        answer = _decode_answer(record)
    except msgspec.DecodeError:
        return None
    found = Outcomes(
        session_name=asked.roleSessionName or "",
        source_identity=asked.sourceIdentity or "",
    )
    name = record.eventName or ""
    if name.startswith(("Create", "Delete")) and name != "CreateSession":
        if not record.errorCode:
            _lifecycle(found, name, asked, answer, caller)
    elif name == "CreateSession":
        for each in answer.credentialSet or ():
            _issue(found, each.credentials, each.roleArn or _session_role(each))
    else:
        _issue(found, answer.credentials, _acts_as(name, asked, answer, caller))
    return found


def _decode_asked(record: Record) -> _Asked:
    raw = record.requestParameters
    return _Asked() if raw == NULL else _ASKED.decode(raw)


def _decode_answer(record: Record) -> _Answer:
    raw = record.responseElements
    return _Answer() if raw == NULL else _ANSWER.decode(raw)


def _acts_as(name: str, asked: _Asked, answer: _Answer, caller: Caller) -> str:
    if name in SAME:
        return caller.identity
    if name == "AssumeRoot":
        return asked.targetPrincipal or ""
    derived = answer.assumedRoleUser.arn if answer.assumedRoleUser else None
    return asked.roleArn or role_of_session(derived or "")


def _session_role(each: _Set) -> str:
    arn = each.assumedRoleUser.arn if each.assumedRoleUser else None
    return role_of_session(arn or "")


def _issue(found: Outcomes, issued: _Credentials | None, to: str) -> None:
    if issued and issued.accessKeyId and is_access_key_id(issued.accessKeyId):
        found.issued = "cred:aws/" + issued.accessKeyId
        found.issued_to = to
        found.issued_until = expiry(issued.expiration or "")


def _lifecycle(
    found: Outcomes, name: str, asked: _Asked, answer: _Answer, caller: Caller
) -> None:
    if name == "CreateAccessKey":
        key = answer.accessKey
        if key and key.accessKeyId and is_access_key_id(key.accessKeyId):
            found.issued = "cred:aws/" + key.accessKeyId
            user = key.userName or asked.userName
            own = not user or caller.identity.endswith("/" + user)
            found.issued_to = caller.identity if own else _arn(caller, "user", user)
        return
    kind = "role" if name.endswith("Role") else "user"
    made = answer.role if kind == "role" else answer.user
    named = asked.roleName if kind == "role" else asked.userName
    identity = (made.arn if made else None) or _arn(caller, kind, named)
    if name.startswith("Create"):
        found.created = identity
    else:
        found.deleted = identity


def _arn(caller: Caller, kind: str, name: str | None) -> str:
    """Name an identity by its short name; a path it may have is not told."""
    if not name or not caller.account:
        return ""
    partition = "aws"
    if caller.identity.startswith("arn:"):
        partition = caller.identity.split(":", 2)[1]
    return f"arn:{partition}:iam::{caller.account}:{kind}/{name}"
