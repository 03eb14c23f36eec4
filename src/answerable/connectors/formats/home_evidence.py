"""Where a configuration lies says whose it is: the home around it names the person."""

from answerable.connectors.formats.sighting_frame import Frame
from answerable.model.agent import Agent
from answerable.model.credential import CredentialLink
from answerable.model.identity import Identity
from answerable.model.ids import PersonId
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.written import WrittenBy

# Logins that are one person's at their platform.
_PERSONAL = frozenset(("github-user", "gcp-user", "entra-user"))
# What several people may become: a profile in a home names one of them.
_SHARED = frozenset(("aws-permission-set",))


def home_evidence(
    person: PersonId, agents: tuple[Agent, ...], place: str, frame: Frame
) -> tuple[OwnerEvidence, ...]:
    """Say of each agent configured in a home that its person answers for it.

    What counts is where the configuration lies, not what it says.
    """
    return tuple(
        OwnerEvidence(
            subject=agent.id,
            person=person,
            kind=EvidenceKind.HOME,
            reference=agent.place,
            act="",
            standing=True,
            seen=frame.seen(place, WrittenBy.PLATFORM),
        )
        for agent in agents
    )


def login_evidence(
    person: PersonId,
    identities: tuple[Identity, ...],
    links: tuple[CredentialLink, ...],
    frame: Frame,
) -> tuple[OwnerEvidence, ...]:
    """Say of a person's login whose credential lies in a home that it is that person's.

    A permission set is shared: its profile says that the person may become it.
    """
    kinds = {identity.id: identity.kind for identity in identities}
    found: dict[OwnerEvidence, None] = {}
    for link in links:
        kind = kinds.get(link.identity, "")
        if kind not in _PERSONAL | _SHARED:
            continue
        evidence = OwnerEvidence(
            subject=link.identity,
            person=person,
            kind=EvidenceKind.HOME if kind in _PERSONAL else EvidenceKind.ASSIGNMENT,
            reference=link.seen.place,
            act="",
            # A scan of another home with the same login does not take it back.
            standing=False,
            seen=frame.seen(link.seen.place, WrittenBy.PLATFORM),
        )
        found[evidence] = None
    return tuple(found)
