"""Visitor of a web request: roles, permissions and owned subjects."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PersonId
from answerable.model.web_config import WebRole

__all__ = ["Visitor", "WebPermission", "WebRole", "permissions_of_roles"]


class WebPermission(StrEnum):
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


_ROLE_PERMISSIONS = {
    WebRole.VIEWER: frozenset({WebPermission.LOOK}),
    WebRole.INVESTIGATOR: frozenset({WebPermission.LOOK, WebPermission.INVESTIGATE}),
    WebRole.OWNER: frozenset({WebPermission.LOOK, WebPermission.OWN}),
    WebRole.ADMIN: frozenset(
        {WebPermission.LOOK, WebPermission.INVESTIGATE, WebPermission.ADMINISTER}
    ),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """The visitor of one request.

    Attributes:
        person: None if anonymous.
        owns: Ids of agents and identities with an attestation by this person.
        csrf: CSRF token for forms; empty without a session.
        fresh: Whether the sign-in was within the last minutes.
        by: `local`, `owner-key`, or the issuer.
    """

    person: PersonId | None
    roles: frozenset[WebRole]
    owns: frozenset[str] = frozenset()
    csrf: str = ""
    fresh: bool = False
    by: str = ""

    @property
    def may(self) -> frozenset[WebPermission]:
        """Return the permissions of the visitor's roles."""
        return permissions_of_roles(self.roles)

    def can_see_activity_of(self, *subjects: str) -> bool:
        """Return whether the visitor may see the activity of any of these subjects."""
        if WebPermission.INVESTIGATE in self.may:
            return True
        return WebPermission.OWN in self.may and not self.owns.isdisjoint(subjects)

    def answers_for(self, subject: str) -> bool:
        """Return whether the visitor is the attested owner of a subject."""
        return WebPermission.OWN in self.may and subject in self.owns


def permissions_of_roles(roles: Iterable[WebRole]) -> frozenset[WebPermission]:
    """Return what a visitor with these web roles may do."""
    return frozenset().union(*(_ROLE_PERMISSIONS[role] for role in roles))
