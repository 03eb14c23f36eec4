"""Where ownership flows: from identities to agents and credentials, and back from code.

Each rule copies evidence to a further subject; nothing is scored here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from answerable.inventory.canonical import principal_key
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
# Tells whether evidence about an identity is of another hand than its own.
Counts = Callable[[str, OwnerEvidence], bool]


def by_subject(
    facts: Facts,
    agents: Mapping[AgentId, AgentEntity],
    credentials: Mapping[CredentialId, CredentialEntity],
    counts: Counts,
) -> Evidence:
    """Return all evidence per subject: said of it, or flowing to it.

    - What a machine's user made answers to whoever answers for that user.
    - A user called like a known person may be that person's.
    - A role trusted by a repository's pipelines answers to the code owners there.
    - An agent that a platform runs under a role answers to that role's owner.
    - A subagent of which nothing is said answers to its parent's owner.
    - A credential answers to the owner of its identity; where nobody is known for the
      identity, to the home in which its agent is configured.
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
    """Evidence that does not flow from a role, of subjects that have some that does."""
    return {
        subject: [item for item in items if not is_role(item.said_of)]
        for subject, items in evidence.items()
        if any(is_role(item.said_of) for item in items)
    }


def _walk_through_users(
    facts: Facts, found: dict[str, list[OwnerEvidence]], counts: Counts
) -> None:
    """Put the owner of a machine's user in the place of the user that acted."""
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
    """Match users' whole names with the handles of persons that are known otherwise."""
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
    """Copy evidence to a further subject, with the first subject it is about."""
    return [
        replace(item, subject=subject, said_of=item.said_of or item.subject)
        for item in items
        if not item.void
    ]


def _any_holds(items: Iterable[OwnerEvidence]) -> bool:
    """Tell whether there is any evidence but statements that do not count."""
    return any(not item.void for item in items)


def _unspoken(items: Iterable[OwnerEvidence]) -> list[OwnerEvidence]:
    """Leave out what a person said: that was about one subject and no other."""
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
    """Name the roles whose own trust policy lets GitHub's issuer in."""
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
    """Return which agents have a tool that states a credential."""
    users: dict[CredentialId, dict[AgentId, None]] = defaultdict(dict)
    for key, agent in agents.items():
        for use in agent.tools:
            for credential in use.credentials:
                users[credential][key] = None
    return {credential: tuple(keys) for credential, keys in users.items()}


def _by_scope(
    agents: Mapping[AgentId, AgentEntity],
) -> Mapping[str, Sequence[AgentId]]:
    """Return which agents are configured in a home."""
    scoped: dict[str, list[AgentId]] = defaultdict(list)
    for key, agent in agents.items():
        if agent.agent.scope:
            scoped[agent.agent.scope].append(key)
    return scoped


def _beside(
    credential: CredentialEntity, homes: Mapping[str, Sequence[AgentId]]
) -> Sequence[AgentId]:
    """Return the agents in the homes that a credential lies in."""
    scopes = {s.scope: None for s in credential.sightings}
    return [key for scope in scopes for key in homes.get(scope, ())]


def _of_credential(
    credential: CredentialEntity, found: Evidence, beside: Sequence[AgentId]
) -> Sequence[OwnerEvidence]:
    proved: Sequence[OwnerEvidence] = ()
    if credential.identity is not None:
        proved = found.get(credential.identity, ())
        # That several people may become an identity says nothing of its credential.
        if _any_holds(e for e in proved if e.kind is not EvidenceKind.ASSIGNMENT):
            return proved
    homes: dict[OwnerEvidence, None] = {}
    for key in beside:
        for item in found.get(key, ()):
            if item.kind is EvidenceKind.HOME:
                homes[replace(item, subject=credential.id)] = None
    return tuple(homes) or proved
