"""Classification of condition keys by the author of their value.

`platform`: set by the platform, not by the caller. `operation`: supplied with the call,
and binding for what it does. `caller`: the caller's claim about itself; a grant guarded
by such keys alone is unguarded. `depends`: set by another party, named in the note. A
key in no table is `depends`, since an unlisted key is not safe.

The tables are data: `global_keys.py`, `service_keys.py`, `arguments_*.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache

from answerable.reach.aws.condition_keys import (
    arguments_a_to_g,
    arguments_h_to_z,
    global_keys,
    service_keys,
)


class AssertedBy(StrEnum):
    """Author of a condition key's value."""

    PLATFORM = "platform"
    OPERATION = "operation"
    CALLER = "caller"
    DEPENDS = "depends"


class Kind(StrEnum):
    """Kind of a key, where it decides how a condition can be satisfied."""

    PRINCIPAL_TAG = "principal-tag"
    RESOURCE_TAG = "resource-tag"
    CLAIM = "claim"
    UNKNOWN = "unknown"
    OTHER = ""


@dataclass(frozen=True, slots=True)
class KeyClass:
    """Class of a condition key.

    Attributes:
        asserted_by: Author of the value.
        who: Description of the parties that can satisfy a condition on it.
        source: Documentation.
        kind: Kind of the key.
    """

    asserted_by: AssertedBy
    who: str
    source: str
    kind: Kind = Kind.OTHER


P, O, C, D = AssertedBy  # noqa: E741 - four letters for a table
_GLOBAL = "AWS IAM User Guide, AWS global condition context keys"
_IAM = "AWS IAM User Guide, IAM and AWS STS condition context keys"
_SAR = "AWS Service Authorization Reference, condition keys of "

_SET = "set by the platform from the authenticated request"
_NETWORK = "set by the platform from the network path of the request"
_BINDS = "supplied with the call and applied to it"
_SELF = "chosen by the caller"
_TAGGER = "anyone who may tag the principal or its session"
_RESOURCE_TAGGER = "anyone who may tag the resource"
_SIGNER = "the identity provider, for anyone it issues a token to"

# (table, class); the service's prefix is appended to `_SAR`.
_TABLES: tuple[tuple[str, KeyClass], ...] = (
    (arguments_a_to_g.ARGUMENTS, KeyClass(O, _BINDS, _SAR)),
    (arguments_h_to_z.ARGUMENTS, KeyClass(O, _BINDS, _SAR)),
    (service_keys.REQUEST, KeyClass(P, _SET, _SAR)),
    (service_keys.NETWORK, KeyClass(P, _NETWORK, _SAR)),
    (
        service_keys.SESSION,
        KeyClass(P, "set by the service that gave the session its credentials", _SAR),
    ),
    (
        service_keys.INJECTION,
        KeyClass(P, "set by AWS Fault Injection Service in its own calls", _SAR),
    ),
    (
        service_keys.ATTESTATION,
        KeyClass(P, "signed by the hardware of the enclave or instance", _SAR),
    ),
    (
        service_keys.ORIGIN,
        KeyClass(P, "recorded by the platform when the thing was made", _SAR),
    ),
    (service_keys.WORD, KeyClass(C, _SELF, _SAR)),
    (
        service_keys.RESOURCE_TAG,
        KeyClass(D, _RESOURCE_TAGGER, _SAR, Kind.RESOURCE_TAG),
    ),
    (
        service_keys.RESOURCE,
        KeyClass(D, "anyone who may create or change the resource", _SAR),
    ),
    (service_keys.ALIAS, KeyClass(D, "anyone who may point an alias to the key", _SAR)),
    (
        service_keys.MEMBER,
        KeyClass(D, "anyone who may make the caller's user a member", _SAR),
    ),
    (service_keys.CLAIM, KeyClass(D, _SIGNER, _SAR, Kind.CLAIM)),
    (
        service_keys.UNSAID,
        KeyClass(
            D,
            "not known: its documentation does not say who writes it",
            _SAR,
            Kind.UNKNOWN,
        ),
    ),
    (global_keys.REQUEST, KeyClass(P, _SET, _GLOBAL)),
    (global_keys.MANAGED, KeyClass(P, _SET, "AWS managed policies")),
    (global_keys.NETWORK, KeyClass(P, _NETWORK, _GLOBAL)),
    (global_keys.ARGUMENTS, KeyClass(O, _BINDS, _GLOBAL)),
    (global_keys.WORD, KeyClass(C, _SELF, _GLOBAL)),
    (global_keys.PRINCIPAL_TAG, KeyClass(D, _TAGGER, _GLOBAL, Kind.PRINCIPAL_TAG)),
    (
        global_keys.RESOURCE_TAG,
        KeyClass(D, _RESOURCE_TAGGER, _GLOBAL, Kind.RESOURCE_TAG),
    ),
)

# Specific texts for single keys, in lower case.
_WORDS: dict[str, tuple[str, str]] = {
    "aws:requestedregion": ("the region the call is made to", ""),
    "ec2:region": ("the region the call is made to", ""),
    "aws:requesttag/*": ("the caller, whose call then sets that tag", ""),
    "aws:sourceidentity": (
        "chosen by the caller of the first session",
        "",
    ),
    "sts:sourceidentity": (
        "chosen by the caller at the first hop; kept afterwards",
        _IAM,
    ),
    "sts:externalid": ("anyone who knows the external id; no secret", _IAM),
    "iam:passedtoservice": ("the service the role is passed to", _IAM),
    "iam:permissionsboundary": ("the boundary the call sets", _IAM),
    "iam:policyarn": ("the policy the call attaches", _IAM),
    "kms:viaservice": ("set by AWS KMS when a service calls for the caller", ""),
}

_NAMED = "which action and resource the call names"
_UNREAD = "not known: what the policy says was not read"
# Keys of this product, for open conditions that no policy states.
_OURS: dict[str, KeyClass] = {
    "answerable:deny": KeyClass(O, _NAMED, ""),
    "answerable:scope": KeyClass(O, _NAMED, ""),
    "answerable:resource": KeyClass(O, "which resource the call names", ""),
    "answerable:further-parts": KeyClass(O, "which resource the call names", ""),
    "answerable:resource-policy": KeyClass(O, _NAMED, ""),
    "answerable:canonical-user": KeyClass(
        P, "set by the platform; whose canonical id it is was not collected", ""
    ),
    "answerable:wildcard-principal": KeyClass(
        P,
        "decided by the platform: AWS does not document whether a grant to `*` passes "
        "the implicit deny of a permissions boundary or session policy",
        "",
    ),
    "answerable:credential-status": KeyClass(
        D, "anyone who may activate the credential", ""
    ),
    "answerable:person-status": KeyClass(
        D, "an administrator who enables the person's account", ""
    ),
    "answerable:client-rule": KeyClass(
        C, "anyone who can edit the settings of the agent's client, the agent too", ""
    ),
    "answerable:indirect-use": KeyClass(
        C, "the agent, if it uses a credential that its tool can read", ""
    ),
    "answerable:action-catalogue": KeyClass(D, "AWS, if it has such an action", ""),
    "answerable:public-policy": KeyClass(D, _UNREAD, ""),
    "answerable:uncollected-policy": KeyClass(D, _UNREAD, ""),
    "answerable:unread-statement": KeyClass(D, _UNREAD, ""),
    "answerable:other-policy-version": KeyClass(
        D, "anyone who wrote a wider version; only the default one was collected", ""
    ),
    "answerable:existing-resource": KeyClass(
        D, "anyone who can create such a resource; none was collected", ""
    ),
    "answerable:awaited": KeyClass(D, "anyone who can bring it about", ""),
    "answerable:too-many-alternatives": KeyClass(
        D, "too many alternatives to list", ""
    ),
}

_UNKNOWN = KeyClass(
    D, "not known: AWS's catalogue of condition keys does not hold it", "", Kind.UNKNOWN
)
_ASKED = KeyClass(
    C,
    "chosen by the job; any job anywhere can choose it",
    "GitHub Docs, OpenID Connect reference (likewise GitLab and Buildkite)",
    Kind.CLAIM,
)

GITHUB = "token.actions.githubusercontent.com"


def names() -> Iterator[tuple[str, KeyClass]]:
    """List every key of the tables as written, with `*` for a free part."""
    for table, entry in _TABLES:
        service = ""
        for word in table.split():
            if word.endswith(":"):
                service = word
            else:
                yield service + word, _specific(service, word, entry)


def _specific(service: str, name: str, entry: KeyClass) -> KeyClass:
    source = entry.source + service.rstrip(":") if entry.source == _SAR else ""
    who, said = _WORDS.get((service + name).lower(), ("", ""))
    return replace(entry, who=who or entry.who, source=said or source or entry.source)


@dataclass(frozen=True, slots=True)
class _Index:
    exact: dict[str, KeyClass]
    patterns: dict[str, list[tuple[str, str, KeyClass]]]  # by service


@cache
def _index() -> _Index:
    exact: dict[str, KeyClass] = dict(_OURS)
    patterns: dict[str, list[tuple[str, str, KeyClass]]] = {}
    for name, entry in names():
        folded = name.lower()
        head, star, tail = folded.partition("*")
        if star:
            service = folded.partition(":")[0]
            patterns.setdefault(service, []).append((head, tail, entry))
        else:
            exact[folded] = entry
    for found in patterns.values():
        found.sort(key=lambda one: -len(one[0] + one[1]))
    return _Index(exact, patterns)


@lru_cache(maxsize=1 << 14)
def key_class(key: str) -> KeyClass:
    """Return the class of a condition key, in any case."""
    folded = key.lower()
    index = _index()
    found = index.exact.get(folded)
    if found:
        return found
    for head, tail, entry in index.patterns.get(folded.partition(":")[0], ()):
        if folded.startswith(head) and folded.endswith(tail) and folded != head + tail:
            return entry
    provider, colon, claim = folded.rpartition(":")
    if colon and ("." in provider or provider == "saml"):
        return _claim(provider, claim)
    return _UNKNOWN


def _claim(provider: str, claim: str) -> KeyClass:
    """Classify a token claim: the identity provider alone decides who gets one."""
    if claim == "aud" and provider.startswith(global_keys.ASKED_FOR):
        return _ASKED
    for start, who, source in global_keys.PROVIDERS:
        if provider.startswith(start):
            return KeyClass(D, who, source, Kind.CLAIM)
    return KeyClass(D, _SIGNER, _IAM, Kind.CLAIM)
