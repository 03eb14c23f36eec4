"""Resolve the caller in `userIdentity`: identity, session and signed-in person.

Authenticated facts are separate from the caller's choices: a role session's name and
its source identity are chosen by the caller. Source: AWS CloudTrail User Guide,
"CloudTrail userIdentity element".
"""

from dataclasses import dataclass

import re2

from answerable.connectors.cloudtrail.parse.record_types import (
    CloudTrailRecord,
    UserIdentity,
)
from answerable.model.errors import IdError
from answerable.model.ids import build_person_id

_SESSION_ARN = re2.compile(
    r"arn:([^:]*):sts::(\d*):assumed-role/((?:[^/]+/)*)([^/]+)/([^/]*)"
)
# Roles under this path are made by Identity Center alone, and only Identity Center
# starts sessions of them: the session's name is the name of the person it signed in.
# Source: IAM Identity Center User Guide, "Referencing permission sets".
_RESERVED = ":role/aws-reserved/sso.amazonaws.com/"
# Web identity providers for people; any other may name workloads.
_HUMAN_ISSUERS = frozenset(
    {"accounts.google.com", "www.amazon.com", "graph.facebook.com", "appleid.apple.com"}
)
_WORKLOAD_SUFFIXES = (".iam.gserviceaccount.com", ".svc.id.goog")
HIDDEN_USER_NAME = "HIDDEN_DUE_TO_SECURITY_REASONS"


@dataclass(slots=True)
class CloudTrailCaller:
    """Caller of a CloudTrail record.

    Attributes:
        identity: Acting identity, empty when the record names none.
        session: Session ARN, empty outside sessions.
        session_name: The session's name as the caller chose it.
        credential: `cred:aws/...`, empty if absent.
        person: `person:...` that the platform authenticated, empty otherwise.
        account: Account of the caller.
        sign_in_method: Authentication of the person, empty without one.
    """

    identity: str = ""
    session: str = ""
    session_name: str = ""
    credential: str = ""
    person: str = ""
    account: str = ""
    sign_in_method: str = ""


def resolve_caller(
    record: CloudTrailRecord, user_identity: UserIdentity
) -> CloudTrailCaller:
    """Resolve the caller of a record from its `userIdentity`."""
    caller = CloudTrailCaller(
        account=user_identity.account_id or record.recipient_account_id or ""
    )
    key = user_identity.access_key_id
    # Key ids of copies are often masked: any run of capitals and digits names a key.
    if key and 16 <= len(key) <= 128 and key.isalnum() and key == key.upper():
        caller.credential = "cred:aws/" + key
    kind = user_identity.type
    if kind == "AssumedRole":
        _set_assumed_role(caller, user_identity)
    elif kind == "IAMUser":
        _set_iam_user(caller, user_identity)
    else:
        _set_other_identity(caller, user_identity, record)
    if user_identity.on_behalf_of and user_identity.on_behalf_of.user_id:
        _set_person(caller, user_identity.on_behalf_of.user_id, "identity-center")
    elif record.event_name == "ConsoleLogin" and kind == "IAMUser":
        _set_console_person(caller, user_identity, record)
    return caller


def _set_assumed_role(caller: CloudTrailCaller, user_identity: UserIdentity) -> None:
    """Set the role and session of a caller that assumed a role."""
    caller.session = user_identity.arn or ""
    issuer = (
        user_identity.session_context.session_issuer
        if user_identity.session_context
        else None
    )
    if issuer and issuer.arn:
        caller.identity = issuer.arn
    else:
        caller.identity = role_arn_of_session(caller.session)
    if not caller.identity and issuer and issuer.account_id and issuer.user_name:
        caller.identity = f"arn:aws:iam::{issuer.account_id}:role/{issuer.user_name}"
    caller.session_name = caller.session.rpartition("/")[2]
    if not caller.session and user_identity.principal_id:
        caller.session_name = user_identity.principal_id.partition(":")[2]
    if _RESERVED in caller.identity and caller.session_name:
        _set_person(caller, caller.session_name, "identity-center")
        caller.session_name = ""  # not the caller's words


def role_arn_of_session(session: str) -> str:
    """Return the role ARN of an assumed-role ARN, without the role's path."""
    parts = _SESSION_ARN.fullmatch(session)
    if not parts:
        return ""
    partition, account, path, role, _ = parts.groups()
    return f"arn:{partition}:iam::{account}:role/{path}{role}"


def _set_iam_user(caller: CloudTrailCaller, user_identity: UserIdentity) -> None:
    """Set the user ARN of an IAM user, or its unique id where only that is known.

    A user has its name only in the records of its own account; other accounts see
    the type `AWSAccount` (CloudTrail userIdentity element, AWS documentation).
    """
    named = user_identity.user_name not in (None, "", HIDDEN_USER_NAME)
    if user_identity.arn:
        caller.identity = user_identity.arn
    elif named and caller.account:
        caller.identity = (
            f"arn:aws:iam::{caller.account}:user/{user_identity.user_name}"
        )
    else:
        _set_unique_id(caller, user_identity)


def _set_console_person(
    caller: CloudTrailCaller, user_identity: UserIdentity, record: CloudTrailRecord
) -> None:
    """Set the person of an IAM user's successful console sign-in."""
    if (
        user_identity.user_name
        and user_identity.user_name != HIDDEN_USER_NAME
        and _is_successful_sign_in(record)
    ):
        _set_person(caller, user_identity.user_name, "console-sign-in")


def _is_successful_sign_in(record: CloudTrailRecord) -> bool:
    """Return whether a `ConsoleLogin` record reports success."""
    answer = bytes(record.response_elements)
    return b'"Success"' in answer and not record.error_code


def _set_other_identity(
    caller: CloudTrailCaller, user_identity: UserIdentity, record: CloudTrailRecord
) -> None:
    """Set the identity of any other caller type, e.g. root, SAML, service."""
    match user_identity.type:
        case "Root":
            caller.identity = user_identity.arn or f"arn:aws:iam::{caller.account}:root"
        case "FederatedUser":
            # The federated name is the caller's choice; its power is the user's.
            issuer = (
                user_identity.session_context.session_issuer
                if user_identity.session_context
                else None
            )
            caller.identity = (
                (issuer.arn if issuer else None) or user_identity.arn or ""
            )
            caller.session = user_identity.arn or ""
            caller.session_name = caller.session.rpartition("/")[2]
        case "SAMLUser":
            subject = (
                user_identity.user_name
                or (user_identity.principal_id or "").partition(":")[2]
            )
            caller.identity = _build_federated_id(
                "saml", user_identity.identity_provider, subject
            )
            _set_person(caller, subject, "saml")
        case "WebIdentityUser":
            _set_web_identity(caller, user_identity)
        case "IdentityCenterUser":
            known = (
                user_identity.on_behalf_of.user_id
                if user_identity.on_behalf_of
                else None
            )
            caller.identity = _build_federated_id(
                "identity-center", caller.account, known
            )
        case "AWSAccount":
            # Another account's principal: its unique id is all that is told.
            caller.identity = user_identity.arn or ""
            if not caller.identity:
                _set_unique_id(caller, user_identity)
        case _:
            service = user_identity.invoked_by
            if not service and record.event_type == "AwsServiceEvent":
                service = record.event_source
            caller.identity = service or user_identity.arn or ""


def _set_unique_id(caller: CloudTrailCaller, user_identity: UserIdentity) -> None:
    """Set the unique id of a principal whose name is not in the record."""
    named = (user_identity.principal_id or "").partition(":")[0]
    caller.identity = _build_federated_id("aws", user_identity.account_id, named)


def _set_web_identity(caller: CloudTrailCaller, user_identity: UserIdentity) -> None:
    """Set the OIDC identity, and its person unless it is a workload."""
    principal = user_identity.principal_id or ""
    issuer = (user_identity.identity_provider or "").rpartition("oidc-provider/")[2]
    subject = user_identity.user_name or principal.rpartition(":")[2]
    caller.identity = _build_federated_id("oidc", issuer, subject)
    human = issuer in _HUMAN_ISSUERS or ("@" in subject and ":" not in subject)
    if human and not subject.endswith(_WORKLOAD_SUFFIXES):
        _set_person(caller, subject, "web-identity")


def _build_federated_id(kind: str, provider: str | None, subject: str | None) -> str:
    """Build the id of a federated identity, empty without a subject."""
    return f"{kind}:{provider or ''}/{subject}" if subject else ""


def _set_person(caller: CloudTrailCaller, subject: str, sign_in_method: str) -> None:
    """Set the person and how they signed in; ignores an invalid name."""
    try:
        caller.person = build_person_id(subject)
    except IdError:
        return
    caller.sign_in_method = sign_in_method
