"""Where a configuration lies says whose it is: the home around it names the person."""

from answerable.connectors.formats.sighting_frame import Frame
from answerable.model.agent import Agent
from answerable.model.ids import PersonId
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.written import WrittenBy


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
