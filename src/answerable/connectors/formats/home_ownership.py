"""Build ownership evidence: a configuration in a home belongs to its person."""

from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.model.agent import Agent
from answerable.model.credential import CredentialLink
from answerable.model.identity import Identity
from answerable.model.ids import PersonId
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import WrittenBy

# Logins that are one person's at their platform.
_PERSONAL_KINDS = frozenset(("github-user", "gcp-user", "entra-user"))
# What several people may become: a profile in a home names one of them.
_SHARED_KINDS = frozenset(("aws-permission-set",))


def build_home_evidence(
    person: PersonId, agents: tuple[Agent, ...], place: str, context: SightingContext
) -> tuple[OwnerEvidence, ...]:
    """Build evidence that a home's person owns each agent configured in it.

    The evidence is the configuration's location, not its content.
    """
    return tuple(
        OwnerEvidence(
            subject=agent.id,
            person=person,
            kind=OwnerEvidenceKind.HOME,
            reference=agent.place,
            act="",
            standing=True,
            seen=context.get_provenance(place, WrittenBy.PLATFORM),
        )
        for agent in agents
    )


def build_login_evidence(
    person: PersonId,
    identities: tuple[Identity, ...],
    links: tuple[CredentialLink, ...],
    context: SightingContext,
) -> tuple[OwnerEvidence, ...]:
    """Build evidence that a login with a credential in a home belongs to its person.

    A permission set is shared: its profile shows that the person may assume it.
    """
    kinds = {identity.id: identity.kind for identity in identities}
    found: dict[OwnerEvidence, None] = {}
    for link in links:
        kind = kinds.get(link.identity, "")
        if kind not in _PERSONAL_KINDS | _SHARED_KINDS:
            continue
        evidence = OwnerEvidence(
            subject=link.identity,
            person=person,
            kind=OwnerEvidenceKind.HOME
            if kind in _PERSONAL_KINDS
            else OwnerEvidenceKind.ASSIGNMENT,
            reference=link.seen.place,
            act="",
            # A scan of another home with the same login does not take it back.
            standing=False,
            seen=context.get_provenance(link.seen.place, WrittenBy.PLATFORM),
        )
        found[evidence] = None
    return tuple(found)
