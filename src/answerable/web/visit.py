"""Who visits, and what they may see: roles, and what is somebody's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PersonId
from answerable.model.web import Role

__all__ = ["May", "Role", "Visit", "may_of", "roles"]


class May(StrEnum):
    """What a route lets a visitor do.

    `LOOK` is to see what there is: agents, identities, credentials, owners, reach.
    `INVESTIGATE` is to see what was done by whomever: events, decisions, evidence.
    `OWN` is to see that of what one answers for, and to sign for it.
    `ADMINISTER` is to kill and revive, and to enrol the keys of owners.
    """

    LOOK = "look"
    INVESTIGATE = "investigate"
    OWN = "own"
    ADMINISTER = "administer"


_MAY = {
    Role.VIEWER: frozenset({May.LOOK}),
    Role.INVESTIGATOR: frozenset({May.LOOK, May.INVESTIGATE}),
    Role.OWNER: frozenset({May.LOOK, May.OWN}),
    Role.ADMIN: frozenset({May.LOOK, May.INVESTIGATE, May.ADMINISTER}),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor, as known for one request.

    Attributes:
        person: Who it is; None for a visitor that nobody vouches for by name.
        roles: What they are here.
        owns: Ids of agents and identities that they answer for, attested.
        csrf: What a form of this session has to carry; empty where no session is.
        fresh: They signed in within the last minutes.
        by: How they did: `local`, or the issuer that vouched for them.
    """

    person: PersonId | None
    roles: frozenset[Role]
    owns: frozenset[str] = frozenset()
    csrf: str = ""
    fresh: bool = False
    by: str = ""

    @property
    def may(self) -> frozenset[May]:
        """All that the roles let them do."""
        return may_of(self.roles)

    def sees_deeds_of(self, *subjects: str) -> bool:
        """Whether what any of these agents or identities did may be shown."""
        if May.INVESTIGATE in self.may:
            return True
        return May.OWN in self.may and not self.owns.isdisjoint(subjects)

    def answers_for(self, subject: str) -> bool:
        """Whether they may sign for this agent or identity: its attested owner."""
        return May.OWN in self.may and subject in self.owns


def may_of(roles: Iterable[Role]) -> frozenset[May]:
    """Give all that some roles let their bearer do."""
    return frozenset().union(*(_MAY[role] for role in roles))


def roles(names: Iterable[str]) -> frozenset[Role]:
    """Read roles; what is none is left out."""
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in names if name in known)
