"""CloudTrail's own record, as far as it is read.

Source: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail
userIdentity element". Parameters and answers differ per action and stay undecoded
until an action needs them.
"""

from collections.abc import Mapping

import msgspec

NULL = msgspec.Raw(b"null")
# Some writers of copies turn flags into words or back.
Flag = bool | str | None


class Issuer(msgspec.Struct):
    """Who issued a session: the role, or the user of a federated session."""

    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    userName: str | None = None


class Attributes(msgspec.Struct):
    """Attributes of a session."""

    creationDate: str | None = None
    mfaAuthenticated: Flag = None


class Federation(msgspec.Struct):
    """Which identity provider a web-identity session comes from."""

    federatedProvider: str | None = None


class SessionContext(msgspec.Struct):
    """The session under which a call was made."""

    sessionIssuer: Issuer | None = None
    attributes: Attributes | None = None
    webIdFederationData: Federation | None = None
    sourceIdentity: str | None = None


class OnBehalfOf(msgspec.Struct):
    """The Identity Center person for whom a call was made."""

    userId: str | None = None
    identityStoreArn: str | None = None


class UserIdentity(msgspec.Struct):
    """Who made the call, as AWS authenticated it."""

    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    accessKeyId: str | None = None
    userName: str | None = None
    sessionContext: SessionContext | None = None
    invokedBy: str | None = None
    identityProvider: str | None = None
    onBehalfOf: OnBehalfOf | None = None


class Touched(msgspec.Struct):
    """One entry of `resources`."""

    ARN: str | None = None
    arn: str | None = None
    type: str | None = None


class TlsDetails(msgspec.Struct):
    """How the call came in."""

    tlsVersion: str | None = None


class Record(msgspec.Struct):
    """One CloudTrail record; who made the call is decoded apart, and looked at twice."""

    eventTime: str | None = None
    eventName: str | None = None
    eventSource: str | None = None
    eventID: str | None = None
    eventType: str | None = None
    eventCategory: str | None = None
    userIdentity: msgspec.Raw = NULL
    awsRegion: str | None = None
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    requestID: str | None = None
    recipientAccountId: str | None = None
    readOnly: Flag = None
    resources: list[Touched | str | None] | None = None
    requestParameters: msgspec.Raw = NULL
    responseElements: msgspec.Raw = NULL
    sharedEventID: str | None = None
    vpcEndpointId: str | None = None
    sessionCredentialFromConsole: Flag = None
    tlsDetails: TlsDetails | None = None


class Wrapped(msgspec.Struct):
    """What stands around a record, or instead of one.

    Attributes:
        CloudTrailEvent: The record as text, in answers of `lookup-events`.
        eventJson: The record as text, in rows of CloudTrail Lake.
        eventData: The record inside a CloudTrail Lake integration event.
        digestStartTime: Present in digest files only.
        insightDetails: Present in Insights events only: they are no calls.
    """

    CloudTrailEvent: str | None = None
    eventJson: str | None = None
    eventData: msgspec.Raw = NULL
    digestStartTime: str | None = None
    insightDetails: msgspec.Raw = NULL


class Envelope(msgspec.Struct):
    """A whole document that lists records."""

    Records: list[msgspec.Raw] | None = None
    Events: list[msgspec.Raw] | None = None


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

RawObject = Mapping[str, msgspec.Raw]


def members(raw: msgspec.Raw) -> RawObject:
    """Split an object one level deep; anything else has no members."""
    if raw == NULL:
        return {}
    try:
        return _OBJECT.decode(raw)
    except msgspec.DecodeError:
        return {}


def text(raw: msgspec.Raw | None) -> str:
    """Read a string; anything else is no string."""
    if raw is None:
        return ""
    try:
        return _TEXT.decode(raw)
    except msgspec.DecodeError:
        return ""
