"""Sign, end and list the credential policies of agents."""

import json

from answerable.evidence.credential_policies import build_credential_policy_content
from answerable.model.credential_policy import (
    MAX_POLICY_LIFETIME,
    CredentialPlatform,
    CredentialPolicy,
    find_document_fault,
)
from answerable.model.documents.credential_policies import CredentialPolicyItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import AgentId, PersonId
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.federation.credential_issuance import list_policy_limits
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.credential_policies import (
    CredentialPolicyReader,
    find_credential_policy,
)
from answerable.services.statements.owner_keys import StatementSigner
from answerable.store.store import EvidenceStore


def build_policy_draft(
    agent: AgentId,
    platform: str,
    text: str,
    *,
    profile: str,
    role: str,
    duration: int,
) -> CredentialPolicy:
    """Build a policy that is not signed yet, from the text of its document.

    Args:
        text: JSON; empty to end the policy.
        duration: Seconds.

    Raises:
        UsageError: The document is not valid for the platform.
    """
    kind, document = CredentialPlatform(platform), ""
    if text:
        try:
            document = json.dumps(json.loads(text), separators=(",", ":"))
        except (ValueError, RecursionError):
            document = text[:1]
        fault = find_document_fault(kind, document)
        if fault:
            raise UsageError(
                f"the policy is not valid for {platform} ({fault})",
                "docs/agent-credentials.md has an example for each platform",
            )
    return CredentialPolicy(
        agent=agent,
        platform=kind,
        document=document,
        profile=profile,
        role=role,
        duration=duration,
        person=PersonId(""),
        digest="",
        signed_at=0,
        expires=0,
    )


def sign_credential_policy(
    store: EvidenceStore,
    draft: CredentialPolicy,
    signer: StatementSigner,
    *,
    lifetime: int,
    now: int,
) -> Document:
    """Sign a credential policy; it replaces the one of the same agent and platform.

    Args:
        lifetime: Nanoseconds.
        now: UTC nanoseconds.

    Raises:
        VerificationError: The signer is not the attested owner of the agent, or the key
            is not valid now. Nothing is recorded.
    """
    key = owner_keys.require_enrolled_key(store, signer.id)
    _require_owner(store, draft.agent, key.person, now)
    expires = signer.signing_time(now) + min(lifetime, MAX_POLICY_LIFETIME)
    policy = CredentialPolicy(
        agent=draft.agent,
        platform=draft.platform,
        document=draft.document,
        profile=draft.profile,
        role=draft.role,
        duration=draft.duration,
        person=key.person,
        digest="",
        signed_at=now,
        expires=expires,
    )
    content = build_credential_policy_content(policy)
    CredentialPolicyReader.sign(store, content, signer, now)
    signed = find_credential_policy(store, draft.agent, draft.platform, now)
    items = [_build_item(signed or policy)]
    return Document("credential-policies", items, build_empty_coverage())


def list_credential_policies(store: EvidenceStore, *, now: int) -> Document:
    """List the credential policies in force."""
    active = CredentialPolicyReader.open(store).read(now).active
    ordered = sorted(active, key=lambda each: (each.agent, each.platform))
    items = [_build_item(each) for each in ordered]
    return Document("credential-policies", items, build_empty_coverage())


def _require_owner(
    store: EvidenceStore, agent: AgentId, person: PersonId, now: int
) -> None:
    """Refuse a signer that is not the attested owner of the agent."""
    reader = open_owner_reader(store)
    owner = reader.owners_by_agent(now).get(agent)
    if owner is None:
        raise VerificationError(
            f"{agent} has no attested owner (expected one to sign)",
            format_command("attest", agent, "--owner", person, "--key", "KEY"),
        )
    if owner.person != reader.canonical_person(person):
        raise VerificationError(
            f"the key is {person}'s (expected {owner.person}, the owner of {agent})"
        )


def _build_item(policy: CredentialPolicy) -> CredentialPolicyItem:
    """Build the document item of a policy."""
    document = json.loads(policy.document) if policy.document else None
    return {
        "agent": policy.agent,
        "platform": policy.platform.value,
        "duration_s": policy.duration,
        "profile": policy.profile or None,
        "role": policy.role or None,
        "person": policy.person,
        "expires_at": format_time(policy.expires),
        "signed_at": format_time(policy.signed_at),
        "digest": policy.digest,
        "document": document,
        "not_held": list(list_policy_limits(policy)) if policy.document else [],
    }
