"""Types of credential policies, and of the short-lived credentials issued under them.

A credential policy states which credential an agent gets on a platform: from which
credential of the person, narrowed by which document, for how long. Its owner signs it.
No value that an agent could have written is part of the decision.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import AgentId, PersonId
from answerable.model.time_units import DAY_NS

MAX_POLICY_LIFETIME = 180 * DAY_NS
DEFAULT_DURATION = 30 * 60  # seconds
MAX_DURATION = 12 * 60 * 60  # seconds
# Plain characters of a session policy.
# Source: AWS STS API Reference, AssumeRole, parameter Policy.
MAX_SESSION_POLICY = 2048
_KUBERNETES_NAMES = ("context", "namespace", "service_account")
_GITHUB_NAMES = ("app_id", "installation_id", "private_key_file")
# Actions that start another session or change permissions: what they make is not
# limited by the session policy.
_ESCAPES = ("sts:assumerole", "iam:passrole", "iam:", "sts:", "organizations:")


class CredentialPlatform(StrEnum):
    """Platform that issues the credential."""

    AWS = "aws"
    KUBERNETES = "kubernetes"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class CredentialPolicy:
    """Credential policy of an agent on one platform, signed by its owner.

    Attributes:
        document: Session policy of AWS, or the narrowing of another platform, as
            compact JSON; empty if the owner ended the policy.
        profile: AWS profile of the person; empty for the default one.
        role: ARN of an AWS role to assume; empty for none.
        duration: Lifetime of each credential, seconds.
        person: Signer, the attested owner of the agent.
        digest: SHA-256 of the signed statement, hex.
        signed_at: UTC nanoseconds.
        expires: End of the signature, UTC nanoseconds.
    """

    agent: AgentId
    platform: CredentialPlatform
    document: str
    profile: str
    role: str
    duration: int
    person: PersonId
    digest: str
    signed_at: int
    expires: int


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """Short-lived credential that a platform issued for an agent.

    Attributes:
        fields: Fields of the credential, as its client names them; secret.
        id: `cred:...`, which the platform's log names.
        identity: Identity it acts as; empty where the platform does not say it.
        expires: UTC nanoseconds.
        method: API operation that issued it.
        parent: Credential of the person that asked for it; empty where it has no id.
        notes: What the path does not hold, a sentence each.
    """

    fields: Mapping[str, str]
    id: str
    identity: str
    expires: int
    method: str
    parent: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the credential, and keep its secret out of messages and tracebacks."""
        return f"IssuedCredential({self.id})"


def find_document_fault(platform: CredentialPlatform, text: str) -> str:
    """Return why a text is not the document of a credential policy; empty if it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(document, dict):
        return "not a JSON object"
    if platform is CredentialPlatform.AWS:
        return _find_session_policy_fault(text, document)
    names = _GITHUB_NAMES
    if platform is CredentialPlatform.KUBERNETES:
        names = _KUBERNETES_NAMES
    missing = [name for name in names if not isinstance(document.get(name), str)]
    if missing:
        return f"no text in {', '.join(missing)}"
    narrowed = document.get("permissions")
    if platform is CredentialPlatform.GITHUB and not (
        isinstance(narrowed, dict) and narrowed
    ):
        return "no permissions"
    return ""


def _find_session_policy_fault(text: str, document: Mapping[str, object]) -> str:
    """Return why a text is not a session policy of AWS; empty if it is one."""
    if len(text) > MAX_SESSION_POLICY:
        return f"{len(text)} characters (at most {MAX_SESSION_POLICY})"
    if not all(character == "\t" or " " <= character <= "\xff" for character in text):
        return "characters above U+00FF"
    if document.get("Version") != "2012-10-17":
        return "not version 2012-10-17"
    statements = list(_list_statements(document))
    if not statements:
        return "no statement"
    for each in statements:
        has_action = bool({"Action", "NotAction"} & each.keys())
        has_resource = bool({"Resource", "NotResource"} & each.keys())
        if each.get("Effect") not in ("Allow", "Deny") or not has_action:
            return "a statement without Effect or Action"
        if not has_resource or {"Principal", "NotPrincipal"} & each.keys():
            return "a statement without Resource, or with a principal"
    return ""


def list_escaping_actions(document: str) -> tuple[str, ...]:
    """List the allowed actions of a session policy whose effect it does not limit.

    A role that the session assumes, a role that it passes to a service, and a policy
    that it writes are not limited by the session policy.
    """
    found: set[str] = set()
    for each in _list_statements(json.loads(document)):
        if each.get("Effect") != "Allow":
            continue
        if "NotAction" in each:
            excluded = [name.lower() for name in _list_texts(each["NotAction"])]
            if not all(f"{name}:*" in excluded for name in ("iam", "sts")):
                found.add("NotAction")
        for name in _list_texts(each.get("Action", ())):
            lowered = name.lower()
            if lowered.startswith("*") or lowered.startswith(_ESCAPES):
                found.add(name)
    return tuple(sorted(found))


def _list_statements(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the statements of a policy document; anything else is left out."""
    found = document.get("Statement")
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            yield each


def _list_texts(value: object) -> list[str]:
    """Return a text or a list of texts as a list."""
    if isinstance(value, list):
        return [str(each) for each in value]
    return [value] if isinstance(value, str) else []
