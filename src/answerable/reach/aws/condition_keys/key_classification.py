"""Classify IAM condition keys by who sets their value.

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
    argument_keys_a_to_g,
    argument_keys_h_to_z,
    global_keys,
    service_keys,
)


class AssertedBy(StrEnum):
    """Author of a condition key's value."""

    PLATFORM = "platform"
    OPERATION = "operation"
    CALLER = "caller"
    DEPENDS = "depends"


class KeyKind(StrEnum):
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
    kind: KeyKind = KeyKind.OTHER


PLATFORM_KEY, OPERATION_KEY, CALLER_KEY, DEPENDS_KEY = AssertedBy
_GLOBAL = "AWS IAM User Guide, AWS global condition context keys"
_IAM = "AWS IAM User Guide, IAM and AWS STS condition context keys"
_AUTHORIZATION_REFERENCE = "AWS Service Authorization Reference, condition keys of "

_SET_BY_PLATFORM = "set by the platform from the authenticated request"
_NETWORK = "set by the platform from the network path of the request"
_BOUND_TO_CALL = "supplied with the call and applied to it"
_CALLER_CHOSEN = "chosen by the caller"
_TAGGER = "anyone who may tag the principal or its session"
_RESOURCE_TAGGER = "anyone who may tag the resource"
_SIGNER = "the identity provider, for anyone to whom it issues a token"

# (table, class); the service's prefix is appended to `_AUTHORIZATION_REFERENCE`.
_TABLES: tuple[tuple[str, KeyClass], ...] = (
    (
        argument_keys_a_to_g.ARGUMENTS,
        KeyClass(OPERATION_KEY, _BOUND_TO_CALL, _AUTHORIZATION_REFERENCE),
    ),
    (
        argument_keys_h_to_z.ARGUMENTS,
        KeyClass(OPERATION_KEY, _BOUND_TO_CALL, _AUTHORIZATION_REFERENCE),
    ),
    (
        service_keys.REQUEST,
        KeyClass(PLATFORM_KEY, _SET_BY_PLATFORM, _AUTHORIZATION_REFERENCE),
    ),
    (service_keys.NETWORK, KeyClass(PLATFORM_KEY, _NETWORK, _AUTHORIZATION_REFERENCE)),
    (
        service_keys.SESSION,
        KeyClass(
            PLATFORM_KEY,
            "set by the service that gave the session its credentials",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.INJECTION,
        KeyClass(
            PLATFORM_KEY,
            "set by AWS Fault Injection Service in its own calls",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.ATTESTATION,
        KeyClass(
            PLATFORM_KEY,
            "signed by the hardware of the enclave or instance",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.ORIGIN,
        KeyClass(
            PLATFORM_KEY,
            "recorded by the platform when the resource was created",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.CALLER_CHOSEN,
        KeyClass(CALLER_KEY, _CALLER_CHOSEN, _AUTHORIZATION_REFERENCE),
    ),
    (
        service_keys.RESOURCE_TAG,
        KeyClass(
            DEPENDS_KEY,
            _RESOURCE_TAGGER,
            _AUTHORIZATION_REFERENCE,
            KeyKind.RESOURCE_TAG,
        ),
    ),
    (
        service_keys.RESOURCE,
        KeyClass(
            DEPENDS_KEY,
            "anyone who may create or change the resource",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.ALIAS,
        KeyClass(
            DEPENDS_KEY,
            "anyone who may point an alias to the key",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.MEMBER,
        KeyClass(
            DEPENDS_KEY,
            "anyone who may make the caller's user a member",
            _AUTHORIZATION_REFERENCE,
        ),
    ),
    (
        service_keys.CLAIM,
        KeyClass(DEPENDS_KEY, _SIGNER, _AUTHORIZATION_REFERENCE, KeyKind.CLAIM),
    ),
    (
        service_keys.UNDOCUMENTED,
        KeyClass(
            DEPENDS_KEY,
            "not known: the documentation does not state who sets the key",
            _AUTHORIZATION_REFERENCE,
            KeyKind.UNKNOWN,
        ),
    ),
    (global_keys.REQUEST, KeyClass(PLATFORM_KEY, _SET_BY_PLATFORM, _GLOBAL)),
    (
        global_keys.MANAGED,
        KeyClass(PLATFORM_KEY, _SET_BY_PLATFORM, "AWS managed policies"),
    ),
    (global_keys.NETWORK, KeyClass(PLATFORM_KEY, _NETWORK, _GLOBAL)),
    (global_keys.ARGUMENTS, KeyClass(OPERATION_KEY, _BOUND_TO_CALL, _GLOBAL)),
    (global_keys.CALLER_CHOSEN, KeyClass(CALLER_KEY, _CALLER_CHOSEN, _GLOBAL)),
    (
        global_keys.PRINCIPAL_TAG,
        KeyClass(DEPENDS_KEY, _TAGGER, _GLOBAL, KeyKind.PRINCIPAL_TAG),
    ),
    (
        global_keys.RESOURCE_TAG,
        KeyClass(DEPENDS_KEY, _RESOURCE_TAGGER, _GLOBAL, KeyKind.RESOURCE_TAG),
    ),
)

# Specific texts for single keys, in lower case.
_SPECIFIC_TEXTS: dict[str, tuple[str, str]] = {
    "aws:requestedregion": ("the region of the call", ""),
    "ec2:region": ("the region of the call", ""),
    "aws:requesttag/*": ("the caller, whose call then sets that tag", ""),
    "aws:sourceidentity": (
        "chosen by the caller of the first session",
        "",
    ),
    "sts:sourceidentity": (
        "chosen by the caller at the first hop; kept afterwards",
        _IAM,
    ),
    "sts:externalid": ("anyone who knows the external id, which is not a secret", _IAM),
    "iam:passedtoservice": ("the service to which the role is passed", _IAM),
    "iam:permissionsboundary": ("the boundary the call sets", _IAM),
    "iam:policyarn": ("the policy the call attaches", _IAM),
    "kms:viaservice": ("set by AWS KMS when a service calls for the caller", ""),
}

_NAMED_BY_CALL = "the action and resource that the call names"
_UNREAD_POLICY = "not known: the content of the policy was not read"
# Keys of this product, for open conditions that no policy states.
_ANSWERABLE_KEYS: dict[str, KeyClass] = {
    "answerable:deny": KeyClass(OPERATION_KEY, _NAMED_BY_CALL, ""),
    "answerable:scope": KeyClass(OPERATION_KEY, _NAMED_BY_CALL, ""),
    "answerable:resource": KeyClass(
        OPERATION_KEY, "the resource that the call names", ""
    ),
    "answerable:further-parts": KeyClass(
        OPERATION_KEY, "the resource that the call names", ""
    ),
    "answerable:resource-policy": KeyClass(OPERATION_KEY, _NAMED_BY_CALL, ""),
    "answerable:canonical-user": KeyClass(
        PLATFORM_KEY,
        "set by the platform; the account of this canonical id was not collected",
        "",
    ),
    "answerable:wildcard-principal": KeyClass(
        PLATFORM_KEY,
        "set by the platform: AWS does not document whether a grant to `*` passes "
        "the implicit deny of a permissions boundary or session policy",
        "",
    ),
    "answerable:credential-status": KeyClass(
        DEPENDS_KEY, "anyone who may activate the credential", ""
    ),
    "answerable:person-status": KeyClass(
        DEPENDS_KEY, "an administrator who enables the person's account", ""
    ),
    "answerable:client-rule": KeyClass(
        CALLER_KEY,
        "anyone who can edit the settings of the agent's client, the agent too",
        "",
    ),
    "answerable:indirect-use": KeyClass(
        CALLER_KEY, "the agent, if it uses a credential that its tool can read", ""
    ),
    "answerable:role-trust": KeyClass(
        DEPENDS_KEY, "the trust policy of the role, which was not collected", ""
    ),
    "answerable:action-catalogue": KeyClass(
        DEPENDS_KEY, "AWS, if such an action exists", ""
    ),
    "answerable:public-policy": KeyClass(DEPENDS_KEY, _UNREAD_POLICY, ""),
    "answerable:uncollected-policy": KeyClass(DEPENDS_KEY, _UNREAD_POLICY, ""),
    "answerable:unread-statement": KeyClass(DEPENDS_KEY, _UNREAD_POLICY, ""),
    "answerable:other-policy-version": KeyClass(
        DEPENDS_KEY,
        "anyone who wrote a wider version; only the default one was collected",
        "",
    ),
    "answerable:existing-resource": KeyClass(
        DEPENDS_KEY, "anyone who can create such a resource; none was collected", ""
    ),
    "answerable:awaited": KeyClass(
        DEPENDS_KEY, "anyone who can meet the condition", ""
    ),
    "answerable:too-many-alternatives": KeyClass(
        DEPENDS_KEY, "too many alternatives to list", ""
    ),
}

_UNKNOWN_KEY = KeyClass(
    DEPENDS_KEY,
    "not known: the key is not in AWS's list of condition keys",
    "",
    KeyKind.UNKNOWN,
)
_REQUESTED_CLAIM = KeyClass(
    CALLER_KEY,
    "chosen by the job; any job anywhere can choose it",
    "GitHub Docs, OpenID Connect reference (likewise GitLab and Buildkite)",
    KeyKind.CLAIM,
)

GITHUB_ISSUER = "token.actions.githubusercontent.com"


def list_classified_keys() -> Iterator[tuple[str, KeyClass]]:
    """List every classified condition key, with `*` for a free part."""
    for table, entry in _TABLES:
        service = ""
        for word in table.split():
            if word.endswith(":"):
                service = word
            else:
                yield service + word, _apply_key_description(service, word, entry)


def _apply_key_description(service: str, name: str, entry: KeyClass) -> KeyClass:
    """Return a key's class with its own description and source."""
    source = (
        entry.source + service.rstrip(":")
        if entry.source == _AUTHORIZATION_REFERENCE
        else ""
    )
    who, said = _SPECIFIC_TEXTS.get((service + name).lower(), ("", ""))
    return replace(entry, who=who or entry.who, source=said or source or entry.source)


@dataclass(frozen=True, slots=True)
class _KeyIndex:
    exact: dict[str, KeyClass]
    patterns: dict[str, list[tuple[str, str, KeyClass]]]  # by service


@cache
def _build_key_class_index() -> _KeyIndex:
    """Index the classes by exact key, and by service for key patterns."""
    exact: dict[str, KeyClass] = dict(_ANSWERABLE_KEYS)
    patterns: dict[str, list[tuple[str, str, KeyClass]]] = {}
    for name, entry in list_classified_keys():
        folded = name.lower()
        head, star, tail = folded.partition("*")
        if star:
            service = folded.partition(":")[0]
            patterns.setdefault(service, []).append((head, tail, entry))
        else:
            exact[folded] = entry
    for found in patterns.values():
        found.sort(key=lambda one: -len(one[0] + one[1]))
    return _KeyIndex(exact, patterns)


@lru_cache(maxsize=1 << 14)
def classify_condition_key(key: str) -> KeyClass:
    """Return the class of a condition key: who sets its value."""
    folded = key.lower()
    index = _build_key_class_index()
    found = index.exact.get(folded)
    if found:
        return found
    for head, tail, entry in index.patterns.get(folded.partition(":")[0], ()):
        if folded.startswith(head) and folded.endswith(tail) and folded != head + tail:
            return entry
    provider, colon, claim = folded.rpartition(":")
    if colon and ("." in provider or provider == "saml"):
        return _classify_token_claim(provider, claim)
    return _UNKNOWN_KEY


def _classify_token_claim(provider: str, claim: str) -> KeyClass:
    """Return the class of a token claim, by its identity provider."""
    if claim == "aud" and provider.startswith(global_keys.REQUESTED_CLAIM_PROVIDERS):
        return _REQUESTED_CLAIM
    for start, who, source in global_keys.PROVIDERS:
        if provider.startswith(start):
            return KeyClass(DEPENDS_KEY, who, source, KeyKind.CLAIM)
    return KeyClass(DEPENDS_KEY, _SIGNER, _IAM, KeyKind.CLAIM)
