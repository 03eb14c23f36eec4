"""Who writes a condition key: the difference between a guard and a request.

`platform`: set by the platform, out of the caller's hands. `operation`: supplied with
the call, but it binds what the call does. `caller`: the caller's word about itself; a
grant guarded by such keys alone is unguarded. `depends`: on somebody else's part, which
the note names. A key that is not listed is `depends`: not listed is not safe.
"""

from dataclasses import dataclass
from enum import StrEnum

_GLOBAL = "AWS IAM User Guide, AWS global condition context keys"
_IAM = "AWS IAM User Guide, IAM and AWS STS condition context keys"
_SAR = "AWS Service Authorization Reference"
_OIDC = "GitHub Docs, OpenID Connect reference"


class AssertedBy(StrEnum):
    """Who writes a condition key's value."""

    PLATFORM = "platform"
    OPERATION = "operation"
    CALLER = "caller"
    DEPENDS = "depends"


@dataclass(frozen=True, slots=True)
class KeyClass:
    """The class of one key.

    Attributes:
        asserted_by: Who writes it.
        who: Who can satisfy a condition on it.
        source: Where that is said.
    """

    asserted_by: AssertedBy
    who: str
    source: str


P, O, C, D = AssertedBy  # noqa: E741 - four letters for a table
_SET = "set by the platform from the authenticated request"
_NETWORK = "set by the platform from the network path of the request"
_BINDS = "supplied with the call and applied to it"
_SELF = "whatever the caller sends"
_TAGGER = "whoever may tag the principal or its session"
_RESOURCE_TAGGER = "whoever may tag the resource"

# Exact keys in lower case.
_KEYS: dict[str, KeyClass] = {
    **dict.fromkeys(
        (
            "aws:principalarn",
            "aws:principalaccount",
            "aws:principalorgid",
            "aws:principalorgpaths",
            "aws:principaltype",
            "aws:principalisawsservice",
            "aws:principalservicename",
            "aws:principalservicenameslist",
            "aws:userid",
            "aws:username",
            "aws:resourceaccount",
            "aws:resourceorgid",
            "aws:resourceorgpaths",
            "aws:sourceaccount",
            "aws:sourcearn",
            "aws:sourceorgid",
            "aws:sourceorgpaths",
            "aws:viaawsservice",
            "aws:calledvia",
            "aws:calledviafirst",
            "aws:calledvialast",
            "aws:multifactorauthpresent",
            "aws:multifactorauthage",
            "aws:tokenissuetime",
            "aws:currenttime",
            "aws:epochtime",
            "aws:federatedprovider",
            "aws:assumedroot",
            "aws:ec2instancesourcevpc",
            "aws:ec2instancesourceprivateipv4",
            "aws:signinsessionarn",
        ),
        KeyClass(P, _SET, _GLOBAL),
    ),
    **dict.fromkeys(
        (
            "aws:sourceip",
            "aws:sourcevpc",
            "aws:sourcevpce",
            "aws:vpcsourceip",
            "aws:sourcevpcarn",
            "aws:vpceaccount",
            "aws:vpceorgid",
            "aws:vpceorgpaths",
            "aws:securetransport",
        ),
        KeyClass(P, _NETWORK, _GLOBAL),
    ),
    "aws:requestedregion": KeyClass(O, "the region the call is made to", _GLOBAL),
    "aws:tagkeys": KeyClass(O, _BINDS, _GLOBAL),
    "aws:useragent": KeyClass(C, _SELF, _GLOBAL),
    "aws:referer": KeyClass(C, _SELF, _GLOBAL),
    "aws:sourceidentity": KeyClass(
        C, "whoever opened the first session, in its own words", _GLOBAL
    ),
    "sts:rolesessionname": KeyClass(C, _SELF, _IAM),
    "sts:sourceidentity": KeyClass(
        C, "whatever the caller sends at the first hop; kept afterwards", _IAM
    ),
    "sts:externalid": KeyClass(C, "whoever knows the external id; no secret", _IAM),
    "sts:durationseconds": KeyClass(O, _BINDS, _IAM),
    "sts:transitivetagkeys": KeyClass(O, _BINDS, _IAM),
    "sts:awsservicename": KeyClass(O, _BINDS, _IAM),
    "iam:passedtoservice": KeyClass(O, "the service the role is passed to", _IAM),
    "iam:associatedresourcearn": KeyClass(O, _BINDS, _IAM),
    "iam:permissionsboundary": KeyClass(O, "the boundary the call sets", _IAM),
    "iam:policyarn": KeyClass(O, "the policy the call attaches", _IAM),
    "iam:awsservicename": KeyClass(O, _BINDS, _IAM),
    "iam:organizationspolicyid": KeyClass(P, _SET, _IAM),
    "kms:viaservice": KeyClass(P, _SET, _SAR),
    "kms:calleraccount": KeyClass(P, _SET, _SAR),
    "kms:grantisforawsresource": KeyClass(P, _SET, _SAR),
    "s3:resourceaccount": KeyClass(P, _SET, _SAR),
    "s3:dataaccesspointaccount": KeyClass(P, _SET, _SAR),
    "s3:tlsversion": KeyClass(P, _NETWORK, _SAR),
    "s3:authtype": KeyClass(P, _SET, _SAR),
    "s3:signatureage": KeyClass(P, _SET, _SAR),
    "s3:signatureversion": KeyClass(P, _SET, _SAR),
    "ec2:region": KeyClass(O, "the region the call is made to", _SAR),
    "ec2:sourceinstancearn": KeyClass(P, _SET, _SAR),
    "lambda:sourcefunctionarn": KeyClass(P, _SET, _SAR),
}

# Prefixes in lower case, longest first.
_PREFIXES: tuple[tuple[str, KeyClass], ...] = (
    ("aws:principaltag/", KeyClass(D, _TAGGER, _GLOBAL)),
    ("aws:resourcetag/", KeyClass(D, _RESOURCE_TAGGER, _GLOBAL)),
    ("aws:requesttag/", KeyClass(D, "the caller, within what it may tag", _GLOBAL)),
    ("iam:resourcetag/", KeyClass(D, _RESOURCE_TAGGER, _IAM)),
    ("s3:existingobjecttag/", KeyClass(D, _RESOURCE_TAGGER, _SAR)),
    ("s3:buckettag/", KeyClass(D, _RESOURCE_TAGGER, _SAR)),
    ("s3:requestobjecttag/", KeyClass(D, "the caller, within what it may tag", _SAR)),
    ("kms:encryptioncontext:", KeyClass(O, _BINDS, _SAR)),
    ("s3:x-amz-", KeyClass(O, _BINDS, _SAR)),
    ("answerable:deny", KeyClass(O, "which action and resource the call names", "")),
    ("answerable:scope", KeyClass(O, "which action and resource the call names", "")),
)

# Keys of an operation's own arguments: the service applies what they say.
_ARGUMENTS = frozenset(
    {
        "s3:prefix",
        "s3:delimiter",
        "s3:max-keys",
        "s3:versionid",
        "s3:locationconstraint",
        "ec2:instancetype",
        "ec2:createaction",
        "ec2:metadatahttptokens",
        "ec2:volumetype",
        "ec2:instanceprofile",
        "lambda:functionarn",
        "lambda:layer",
        "lambda:vpcids",
        "kms:granteeprincipal",
        "kms:keyspec",
        "dynamodb:attributes",
        "dynamodb:leadingkeys",
        "dynamodb:select",
        "sns:endpoint",
        "sns:protocol",
        "secretsmanager:secretid",
        "secretsmanager:versionstage",
        "bedrock:inferenceprofilearn",
        "cloudformation:rolearn",
        "cloudformation:templateurl",
        "glue:rolearn",
        "ecs:cluster",
    }
)

_SUBJECT = KeyClass(
    D,
    "whoever can start a job whose token carries it: for a repository anyone who can "
    "push a branch, tag or environment the pattern allows",
    _OIDC,
)
_TOKEN = KeyClass(D, "the identity provider, for whoever it issues a token to", _IAM)
_UNKNOWN = KeyClass(D, "not known: the key is in no table here", "")

GITHUB = "token.actions.githubusercontent.com"
_PUSHER = frozenset({"sub", "ref", "job_workflow_ref", "workflow", "environment"})


def key_class(key: str) -> KeyClass:
    """Say who writes a condition key; case does not matter."""
    folded = key.lower()
    found = _KEYS.get(folded)
    if found:
        return found
    for prefix, entry in _PREFIXES:
        if folded.startswith(prefix):
            return entry
    if folded in _ARGUMENTS:
        return KeyClass(O, _BINDS, _SAR)
    provider, _, claim = folded.rpartition(":")
    if "." in provider or provider == "saml":
        if provider.startswith(GITHUB) and claim in _PUSHER:
            return _SUBJECT
        return _TOKEN
    return _UNKNOWN
