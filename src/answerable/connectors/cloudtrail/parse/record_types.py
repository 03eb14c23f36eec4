"""Define typed CloudTrail records with only the fields that are read.

Source: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail
userIdentity element". Parameters and answers differ per action and stay undecoded
until an action needs them.
"""

from collections.abc import Mapping

import msgspec

NULL = msgspec.Raw(b"null")
# Some writers of copies turn flags into words or back.
Flag = bool | str | None


class SessionIssuer(msgspec.Struct, rename="camel"):
    """Issuer of a session: the role, or the user of a federated session."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None


class SessionAttributes(msgspec.Struct, rename="camel"):
    """Attributes of a session."""

    creation_date: str | None = None
    mfa_authenticated: Flag = None


class WebIdFederationData(msgspec.Struct, rename="camel"):
    """Identity provider of a web-identity session."""

    federated_provider: str | None = None


class SessionContext(msgspec.Struct, rename="camel"):
    """Session of a call."""

    session_issuer: SessionIssuer | None = None
    attributes: SessionAttributes | None = None
    web_id_federation_data: WebIdFederationData | None = None
    source_identity: str | None = None


class OnBehalfOf(msgspec.Struct, rename="camel"):
    """Identity Center person behind a call."""

    user_id: str | None = None
    identity_store_arn: str | None = None


class UserIdentity(msgspec.Struct, rename="camel"):
    """Caller of a record, as authenticated by AWS."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    user_name: str | None = None
    session_context: SessionContext | None = None
    invoked_by: str | None = None
    identity_provider: str | None = None
    on_behalf_of: OnBehalfOf | None = None


class ResourceEntry(msgspec.Struct, rename="camel", gc=False):
    """Entry of `resources`."""

    listed_arn: str | None = msgspec.field(name="ARN", default=None)
    arn: str | None = None
    type: str | None = None


class TlsDetails(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """TLS details of a call."""

    tls_version: str | None = None


class CloudTrailRecord(msgspec.Struct, rename="camel", gc=False):
    """CloudTrail record."""

    event_time: str | None = None
    event_name: str | None = None
    event_source: str | None = None
    event_id: str | None = msgspec.field(name="eventID", default=None)
    event_type: str | None = None
    event_category: str | None = None
    user_identity: msgspec.Raw = NULL
    aws_region: str | None = None
    source_ip: str | None = msgspec.field(name="sourceIPAddress", default=None)
    user_agent: str | None = None
    error_code: str | None = None
    request_id: str | None = msgspec.field(name="requestID", default=None)
    recipient_account_id: str | None = None
    read_only: Flag = None
    resources: list[ResourceEntry | str | None] | None = None
    request_parameters: msgspec.Raw = NULL
    response_elements: msgspec.Raw = NULL
    shared_event_id: str | None = msgspec.field(name="sharedEventID", default=None)
    vpc_endpoint_id: str | None = None
    session_credential_from_console: Flag = None
    tls_details: TlsDetails | None = None


class IdentityOnlyRecord(msgspec.Struct, rename="camel"):
    """Caller part of a record, to locate a decoding error."""

    user_identity: UserIdentity | None = None


class WrappedRecord(msgspec.Struct, rename="camel"):
    """Wrapper around a record, or another kind of document.

    Attributes:
        carried: The record as text, in answers of `lookup-events`.
        event_json: The record as text, in rows of CloudTrail Lake.
        event_data: The record inside a CloudTrail Lake integration event.
        digest_start_time: Present in digest files only.
        insight_details: Present in Insights events only, which are not calls.
    """

    carried: str | None = msgspec.field(name="CloudTrailEvent", default=None)
    event_json: str | None = None
    event_data: msgspec.Raw = NULL
    digest_start_time: str | None = None
    insight_details: msgspec.Raw = NULL


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

RawObject = Mapping[str, msgspec.Raw]


def split_members(raw: msgspec.Raw) -> RawObject:
    """Split an object into its raw members; anything else has none."""
    if raw == NULL:
        return {}
    try:
        return _OBJECT.decode(raw)
    except msgspec.DecodeError:
        return {}


def read_text(raw: msgspec.Raw | None) -> str:
    """Decode a string; None for anything else."""
    if raw is None:
        return ""
    try:
        return _TEXT.decode(raw)
    except msgspec.DecodeError:
        return ""
