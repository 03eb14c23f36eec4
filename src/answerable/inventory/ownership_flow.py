"""Flow of ownership evidence between identities, agents, credentials and code.

Each rule copies evidence to another subject; the score is computed elsewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from answerable.inventory.canonical_ids import principal_key
from answerable.inventory.people import handle, is_pipeline, is_team
from answerable.model.ids import (
    AgentId,
    CredentialId,
    PersonId,
    access_key_account,
    is_role,
)
from answerable.model.inventory import AgentEntity, CredentialEntity
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.policy import Layer
from answerable.model.sighting import Facts

_GITHUB = "token.actions.githubusercontent.com"
_SPOKEN = (EvidenceKind.ATTESTATION, EvidenceKind.CONFIRMATION)

_ACTS = (EvidenceKind.CREATOR, EvidenceKind.ASSUMER)

Evidence = Mapping[str, Sequence[OwnerEvidence]]
# Tells whether an identity could not have written evidence about itself.
Counts = Callable[[str, OwnerEvidence], bool]


def by_subject(
    facts: Facts,
    agents: Mapping[AgentId, AgentEntity],
    credentials: Mapping[CredentialId, CredentialEntity],
    counts: Counts,
) -> Evidence:
    """Return all evidence per subject, its own and inherited.

    - Objects made by a machine user inherit the owner of that user.
    - A user with the name of a known person may belong to that person.
    - A role that a repository's pipelines assume inherits its code owners.
    - An agent that a platform runs under a role inherits the owner of the role.
    - A subagent without evidence inherits the owner of its parent.
    - A credential inherits the owner of its identity; without one, the person of the
      home in which its agent is configured.
    """
    found: dict[str, list[OwnerEvidence]] = defaultdict(list)
    for item in facts.evidence:
        found[item.subject].append(item)
    _walk_through_users(facts, found, counts)
    for item in list(_of_names(facts)):
        found[item.subject].append(item)
    for item in list(_of_pipelines(facts, agents, found)):
        found[item.subject].append(item)
    for key, agent in agents.items():
        for role in agent.agent.runs_as:
            found[key] += _to(key, _unspoken(found.get(role, ())))
    for key in agents:
        if not _any_holds(found.get(key, ())):
            found[key] += _to(key, _of_parents(key, agents, found))
    users, homes = _users(agents), _by_scope(agents)
    for credential in credentials.values():
        beside = users.get(credential.id) or _beside(credential, homes)
        found[credential.id] += _to(
            credential.id, _of_credential(credential, found, beside)
        )
    return {subject: tuple(items) for subject, items in found.items() if items}


def own_evidence(evidence: Evidence) -> Evidence:
    """Select evidence not inherited from a role, for subjects with inherited one."""
    return {
        subject: [item for item in items if not is_role(item.said_of)]
        for subject, items in evidence.items()
        if any(is_role(item.said_of) for item in items)
    }


def _walk_through_users(
    facts: Facts, found: dict[str, list[OwnerEvidence]], counts: Counts
) -> None:
    """Replace a machine user that acted by the owner of that user."""
    users = {
        key: identity.id
        for identity in facts.identities
        if (key := principal_key(identity.id)) is not None and key[1] == "user"
    }
    said = {
        user: [
            e for e in found.get(user, ()) if e.kind not in _ACTS and counts(user, e)
        ]
        for user in users.values()
    }
    for subject, items in list(found.items()):
        account = _account(subject)
        walked: list[OwnerEvidence] = []
        for item in items:
            user = users.get((account, "user", handle(item.person).lower()))
            behind = said.get(user, []) if user and item.kind in _ACTS else []
            walked += [_answers(item, why) for why in behind] or [item]
        found[subject] = walked


def _answers(act: OwnerEvidence, why: OwnerEvidence) -> OwnerEvidence:
    reference = f"{act.reference}, which answers to {why.reference or why.person}"
    return replace(act, person=why.person, reference=reference)


def _of_names(facts: Facts) -> Iterable[OwnerEvidence]:
    """Match user names with the handles of known persons."""
    known: dict[str, PersonId] = {}
    named = [p.id for p in facts.persons if p.seen.written_by.believed and not p.team]
    named += [e.person for e in facts.evidence if e.seen.written_by.believed]
    for person in sorted(set(named), reverse=True):
        if not is_pipeline(person) and not is_team(person):
            known[handle(person).partition("@")[0].lower()] = person
    for identity in facts.identities:
        key = principal_key(identity.id)
        if key is not None and key[1] == "user" and key[2] in known:
            yield OwnerEvidence(
                subject=identity.id,
                person=known[key[2]],
                kind=EvidenceKind.NAME_MATCH,
                reference=identity.name,
                act="",
                standing=True,
                seen=identity.seen,
            )


def _account(subject: str) -> str:
    bare = subject.removeprefix("cred:aws/")
    if bare != subject:
        return access_key_account(bare) or ""
    key = principal_key(subject)
    return key[0] if key is not None else ""


def _to(subject: str, items: Iterable[OwnerEvidence]) -> list[OwnerEvidence]:
    """Copy evidence to another subject, with its original subject."""
    return [
        replace(item, subject=subject, said_of=item.said_of or item.subject)
        for item in items
        if not item.void
    ]


def _any_holds(items: Iterable[OwnerEvidence]) -> bool:
    """Tell whether there is any evidence that is not void."""
    return any(not item.void for item in items)


def _unspoken(items: Iterable[OwnerEvidence]) -> list[OwnerEvidence]:
    """Drop attestations and confirmations, which are about one subject only."""
    return [item for item in items if item.kind not in _SPOKEN]


def _of_pipelines(
    facts: Facts, agents: Mapping[AgentId, AgentEntity], found: Evidence
) -> Iterable[OwnerEvidence]:
    trusting = _trusting_github(facts)
    for key, agent in agents.items():
        for role in agent.agent.runs_as:
            if role not in trusting:
                continue
            for item in found.get(key, ()):
                if item.kind is EvidenceKind.CODEOWNERS:
                    yield replace(item, subject=role, kind=EvidenceKind.OIDC_SUBJECT)


def _trusting_github(facts: Facts) -> set[str]:
    """Return the roles whose trust policy names GitHub's issuer."""
    policies = {policy.id: policy for policy in facts.policies}
    trusting = set()
    for attachment in facts.attachments:
        policy = policies.get(attachment.policy)
        if attachment.layer is Layer.TRUST and policy is not None:
            issuers = (
                value
                for statement in policy.statements
                for kind, value in statement.principals
                if kind == "Federated"
            )
            if any(issuer.endswith(_GITHUB) for issuer in issuers):
                trusting.add(attachment.target)
    return trusting


def _of_parents(
    key: AgentId, agents: Mapping[AgentId, AgentEntity], found: Evidence
) -> Sequence[OwnerEvidence]:
    met = {key}
    parent = agents[key].agent.parent
    while parent is not None and parent in agents and parent not in met:
        if _any_holds(found.get(parent, ())):
            return found[parent]
        met.add(parent)
        parent = agents[parent].agent.parent
    return ()


def _users(
    agents: Mapping[AgentId, AgentEntity],
) -> Mapping[CredentialId, Sequence[AgentId]]:
    """Index agents by the credentials that their tools state."""
    users: dict[CredentialId, dict[AgentId, None]] = defaultdict(dict)
    for key, agent in agents.items():
        for use in agent.tools:
            for credential in use.credentials:
                users[credential][key] = None
    return {credential: tuple(keys) for credential, keys in users.items()}


def _by_scope(
    agents: Mapping[AgentId, AgentEntity],
) -> Mapping[str, Sequence[AgentId]]:
    """Index agents by the home they are configured in."""
    scoped: dict[str, list[AgentId]] = defaultdict(list)
    for key, agent in agents.items():
        if agent.agent.scope:
            scoped[agent.agent.scope].append(key)
    return scoped


def _beside(
    credential: CredentialEntity, homes: Mapping[str, Sequence[AgentId]]
) -> Sequence[AgentId]:
    """Return the agents in the homes that a credential was seen in."""
    scopes = {s.scope: None for s in credential.sightings}
    return [key for scope in scopes for key in homes.get(scope, ())]


def _of_credential(
    credential: CredentialEntity, found: Evidence, beside: Sequence[AgentId]
) -> Sequence[OwnerEvidence]:
    proved: Sequence[OwnerEvidence] = ()
    if credential.identity is not None:
        proved = found.get(credential.identity, ())
        # Role assignments are no evidence about a credential of the role.
        if _any_holds(e for e in proved if e.kind is not EvidenceKind.ASSIGNMENT):
            return proved
    homes: dict[OwnerEvidence, None] = {}
    for key in beside:
        for item in found.get(key, ()):
            if item.kind is EvidenceKind.HOME:
                homes[replace(item, subject=credential.id)] = None
    return tuple(homes) or proved
