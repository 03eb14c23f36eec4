"""Visitor of one request: roles, permissions and owned subjects."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PersonId
from answerable.model.web_config import Role

__all__ = ["May", "Role", "Visit", "may_of", "roles"]


class May(StrEnum):
    """Permission of a route.

    `LOOK` is to see agents, identities, credentials, owners and reach.
    `INVESTIGATE` is to see the activity of everyone: events, decisions, evidence.
    `OWN` is to see the activity of owned subjects, and to sign for them.
    `ADMINISTER` is to revoke and revive, and to enrol owner keys.
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
    """The visitor of one request.

    Attributes:
        person: None if anonymous.
        owns: Ids of agents and identities with an attestation by this person.
        csrf: CSRF token for forms; empty without a session.
        fresh: Whether the sign-in was within the last minutes.
        by: `local`, or the issuer.
    """

    person: PersonId | None
    roles: frozenset[Role]
    owns: frozenset[str] = frozenset()
    csrf: str = ""
    fresh: bool = False
    by: str = ""

    @property
    def may(self) -> frozenset[May]:
        """Return the permissions of the roles."""
        return may_of(self.roles)

    def sees_deeds_of(self, *subjects: str) -> bool:
        """Tell whether the activity of any of these subjects is visible."""
        if May.INVESTIGATE in self.may:
            return True
        return May.OWN in self.may and not self.owns.isdisjoint(subjects)

    def answers_for(self, subject: str) -> bool:
        """Tell whether the visitor is the attested owner of a subject."""
        return May.OWN in self.may and subject in self.owns


def may_of(roles: Iterable[Role]) -> frozenset[May]:
    """Return the permissions of some roles."""
    return frozenset().union(*(_MAY[role] for role in roles))


def roles(names: Iterable[str]) -> frozenset[Role]:
    """Parse roles; unknown ones are left out."""
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in names if name in known)
