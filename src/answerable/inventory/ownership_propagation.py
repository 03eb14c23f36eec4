"""Copy ownership evidence between linked subjects, such as from a role to its agent.

Each rule copies evidence to another subject; the score is computed elsewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from answerable.inventory.canonical_ids import parse_iam_principal_arn
from answerable.inventory.person_directory import (
    get_person_handle,
    is_machine_user,
    is_team_handle,
)
from answerable.model.ids import (
    AgentId,
    CredentialId,
    PersonId,
    decode_access_key_account,
    is_iam_role_arn,
)
from answerable.model.inventory import AgentEntity, CredentialEntity
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts

_GITHUB_ISSUER = "token.actions.githubusercontent.com"
_STATEMENT_KINDS = (OwnerEvidenceKind.ATTESTATION, OwnerEvidenceKind.CONFIRMATION)

_ACTION_KINDS = (OwnerEvidenceKind.CREATOR, OwnerEvidenceKind.ASSUMER)

EvidenceBySubject = Mapping[str, Sequence[OwnerEvidence]]
# Tells whether an identity could not have written evidence about itself.
EvidenceFilter = Callable[[str, OwnerEvidence], bool]


def collect_owner_evidence(
    facts: SightedFacts,
    agents: Mapping[AgentId, AgentEntity],
    credentials: Mapping[CredentialId, CredentialEntity],
    is_counted: EvidenceFilter,
    named: Collection[PersonId],
) -> EvidenceBySubject:
    """Return the owner evidence of each subject, own and inherited.

    - Objects made by a machine user inherit the owner of that user.
    - A user with the name of a known person may belong to that person.
    - A role that a repository's pipelines assume inherits its code owners.
    - An agent that a platform runs under a role inherits the owner of the role.
    - A subagent without evidence inherits the owner of its parent.
    - A credential inherits the owner of its identity; without one, the person of the
      home in which its agent is configured.

    Args:
        named: Persons that may have a user of their name, see `list_named_persons`.
    """
    found: dict[str, list[OwnerEvidence]] = defaultdict(list)
    for item in facts.evidence:
        found[item.subject].append(item)
    _replace_machine_users_by_owners(facts, found, is_counted)
    for item in list(_match_iam_users_with_persons(facts, named)):
        found[item.subject].append(item)
    for item in list(_list_code_owner_evidence_for_roles(facts, agents, found)):
        found[item.subject].append(item)
    for key, agent in agents.items():
        for role in agent.agent.runs_as:
            found[key] += _copy_evidence_to_subject(
                key, _drop_attestations_and_confirmations(found.get(role, ()))
            )
    for key in agents:
        if not _has_valid_evidence(found.get(key, ())):
            found[key] += _copy_evidence_to_subject(
                key, _find_parent_agent_evidence(key, agents, found)
            )
    users, homes = _index_agents_by_credential(agents), _index_agents_by_home(agents)
    for credential in credentials.values():
        beside = users.get(credential.id) or _list_agents_in_credential_homes(
            credential, homes
        )
        found[credential.id] += _copy_evidence_to_subject(
            credential.id, _select_credential_evidence(credential, found, beside)
        )
    return {subject: tuple(items) for subject, items in found.items() if items}


def select_evidence_not_from_roles(evidence: EvidenceBySubject) -> EvidenceBySubject:
    """For subjects that inherit evidence from roles, select their other one."""
    return {
        subject: [item for item in items if not is_iam_role_arn(item.said_of)]
        for subject, items in evidence.items()
        if any(is_iam_role_arn(item.said_of) for item in items)
    }


def _replace_machine_users_by_owners(
    facts: SightedFacts,
    evidence_by_subject: dict[str, list[OwnerEvidence]],
    is_counted: EvidenceFilter,
) -> None:
    """Replace a machine user in evidence by that user's owner."""
    users = {
        key: identity.id
        for identity in facts.identities
        if (key := parse_iam_principal_arn(identity.id)) is not None
        and key[1] == "user"
    }
    said = {
        user: [
            e
            for e in evidence_by_subject.get(user, ())
            if e.kind not in _ACTION_KINDS and is_counted(user, e)
        ]
        for user in users.values()
    }
    for subject, items in list(evidence_by_subject.items()):
        account = _get_aws_account_of_subject(subject)
        walked: list[OwnerEvidence] = []
        for item in items:
            user = users.get((account, "user", get_person_handle(item.person).lower()))
            behind = said.get(user, []) if user and item.kind in _ACTION_KINDS else []
            walked += [_replace_person_of_evidence(item, why) for why in behind] or [
                item
            ]
        evidence_by_subject[subject] = walked


def _replace_person_of_evidence(
    evidence: OwnerEvidence, owner_evidence: OwnerEvidence
) -> OwnerEvidence:
    """Return evidence with its person replaced by that of another record."""
    superior = owner_evidence.reference or owner_evidence.person
    reference = f"{evidence.reference}, owner evidence: {superior}"
    return replace(evidence, person=owner_evidence.person, reference=reference)


def list_named_persons(facts: SightedFacts) -> set[PersonId]:
    """List the persons that trusted facts name, without teams that are listed."""
    named = {
        person.id
        for person in facts.persons
        if person.seen.written_by.is_trusted_author and not person.team
    }
    named.update(
        each.person for each in facts.evidence if each.seen.written_by.is_trusted_author
    )
    return named


def _match_iam_users_with_persons(
    facts: SightedFacts, named: Collection[PersonId]
) -> Iterable[OwnerEvidence]:
    """Match IAM user names with handles of known persons."""
    known: dict[str, PersonId] = {}
    for person in sorted(named, reverse=True):
        if not is_machine_user(person) and not is_team_handle(person):
            known[get_person_handle(person).partition("@")[0].lower()] = person
    for identity in facts.identities:
        key = parse_iam_principal_arn(identity.id)
        if key is not None and key[1] == "user" and key[2] in known:
            yield OwnerEvidence(
                subject=identity.id,
                person=known[key[2]],
                kind=OwnerEvidenceKind.NAME_MATCH,
                reference=identity.name,
                act="",
                standing=True,
                seen=identity.seen,
            )


def _get_aws_account_of_subject(subject: str) -> str:
    """Return the AWS account of a subject, empty if unknown."""
    bare = subject.removeprefix("cred:aws/")
    if bare != subject:
        return decode_access_key_account(bare) or ""
    key = parse_iam_principal_arn(subject)
    return key[0] if key is not None else ""


def _copy_evidence_to_subject(
    subject: str, items: Iterable[OwnerEvidence]
) -> list[OwnerEvidence]:
    """Copy ownership evidence to another subject, noting the original."""
    return [
        replace(item, subject=subject, said_of=item.said_of or item.subject)
        for item in items
        if not item.void
    ]


def _has_valid_evidence(items: Iterable[OwnerEvidence]) -> bool:
    """Return whether some of the evidence is not void."""
    return any(not item.void for item in items)


def _drop_attestations_and_confirmations(
    items: Iterable[OwnerEvidence],
) -> list[OwnerEvidence]:
    """Drop attestations and confirmations: each is about one subject only."""
    return [item for item in items if item.kind not in _STATEMENT_KINDS]


def _list_code_owner_evidence_for_roles(
    facts: SightedFacts,
    agents: Mapping[AgentId, AgentEntity],
    evidence_by_subject: EvidenceBySubject,
) -> Iterable[OwnerEvidence]:
    """Yield a workflow's code owners as evidence for its roles."""
    trusting = _find_roles_trusting_github(facts)
    for key, agent in agents.items():
        for role in agent.agent.runs_as:
            if role not in trusting:
                continue
            for item in evidence_by_subject.get(key, ()):
                if item.kind is OwnerEvidenceKind.CODEOWNERS:
                    yield replace(
                        item, subject=role, kind=OwnerEvidenceKind.OIDC_SUBJECT
                    )


def _find_roles_trusting_github(facts: SightedFacts) -> set[str]:
    """Return the roles whose trust policy names GitHub's OIDC issuer."""
    policies = {policy.id: policy for policy in facts.policies}
    trusting = set()
    for attachment in facts.attachments:
        policy = policies.get(attachment.policy)
        if attachment.layer is PolicyLayer.TRUST and policy is not None:
            issuers = (
                value
                for statement in policy.statements
                for kind, value in statement.principals
                if kind == "Federated"
            )
            if any(issuer.endswith(_GITHUB_ISSUER) for issuer in issuers):
                trusting.add(attachment.target)
    return trusting


def _find_parent_agent_evidence(
    key: AgentId,
    agents: Mapping[AgentId, AgentEntity],
    evidence_by_subject: EvidenceBySubject,
) -> Sequence[OwnerEvidence]:
    """Return the evidence of the nearest parent agent that has any."""
    met = {key}
    parent = agents[key].agent.parent
    while parent is not None and parent in agents and parent not in met:
        if _has_valid_evidence(evidence_by_subject.get(parent, ())):
            return evidence_by_subject[parent]
        met.add(parent)
        parent = agents[parent].agent.parent
    return ()


def _index_agents_by_credential(
    agents: Mapping[AgentId, AgentEntity],
) -> Mapping[CredentialId, Sequence[AgentId]]:
    """Index agents by the credentials of their tools."""
    users: dict[CredentialId, dict[AgentId, None]] = defaultdict(dict)
    for key, agent in agents.items():
        for use in agent.tools:
            for credential in use.credentials:
                users[credential][key] = None
    return {credential: tuple(keys) for credential, keys in users.items()}


def _index_agents_by_home(
    agents: Mapping[AgentId, AgentEntity],
) -> Mapping[str, Sequence[AgentId]]:
    """Index agents by the home directory they are configured in."""
    scoped: dict[str, list[AgentId]] = defaultdict(list)
    for key, agent in agents.items():
        if agent.agent.scope:
            scoped[agent.agent.scope].append(key)
    return scoped


def _list_agents_in_credential_homes(
    credential: CredentialEntity, homes: Mapping[str, Sequence[AgentId]]
) -> Sequence[AgentId]:
    """List the agents in the home directories where a credential is."""
    scopes = {s.scope: None for s in credential.sightings}
    return [key for scope in scopes for key in homes.get(scope, ())]


def _select_credential_evidence(
    credential: CredentialEntity,
    evidence_by_subject: EvidenceBySubject,
    home_agents: Sequence[AgentId],
) -> Sequence[OwnerEvidence]:
    """Return a credential's evidence: its identity's or its home's."""
    proved: Sequence[OwnerEvidence] = ()
    if credential.identity is not None:
        proved = evidence_by_subject.get(credential.identity, ())
        # Role assignments are no evidence about a credential of the role.
        if _has_valid_evidence(
            e for e in proved if e.kind is not OwnerEvidenceKind.ASSIGNMENT
        ):
            return proved
    homes: dict[OwnerEvidence, None] = {}
    for key in home_agents:
        for item in evidence_by_subject.get(key, ()):
            if item.kind is OwnerEvidenceKind.HOME:
                homes[replace(item, subject=credential.id)] = None
    return tuple(homes) or proved
