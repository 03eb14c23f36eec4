"""The web page's own section of the configuration: where it is, and who may sign in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.model.config import Listener


class Role(StrEnum):
    """What a person is in the web page; each may look."""

    VIEWER = "viewer"
    INVESTIGATOR = "investigator"
    OWNER = "owner"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Login:
    """How people sign in at an OpenID provider.

    Attributes:
        issuer: Name of a pinned issuer whose tokens name people.
        client_id: Us, as it knows us; the audience of its ID tokens for us.
        secret_env: Name of the environment variable with our secret there, empty where
            we are a public client.
        claim: Claim whose values give roles, empty where none does.
        given: Pairs (value of that claim, roles that it gives).
        default: Roles of whoever else signs in; none where they may not.
        scopes: More scope tokens to ask for, e.g. one that brings the claim.
    """

    issuer: str
    client_id: str
    secret_env: str
    claim: str
    given: tuple[tuple[str, frozenset[Role]], ...]
    default: frozenset[Role]
    scopes: tuple[str, ...] = ()

    def roles_of(self, values: frozenset[str]) -> frozenset[Role]:
        """Give the roles of somebody with these values of the claim."""
        found = [roles for value, roles in self.given if value in values]
        return frozenset().union(self.default, *found)


@dataclass(frozen=True, slots=True)
class Web:
    """The section `web`.

    Attributes:
        url: Scheme and authority that browsers know it by; empty for the address of its
            first listener.
        listen: In file order.
        state: Its own folder. Empty for `web` in the store.
        audience: The one `aud` of tokens for `/api/v1`; empty where none is taken.
        local: Mail address or handle of the person for whom the printed link stands,
            empty for nobody by name.
        login: None where nobody signs in but by that link.
    """

    url: str
    listen: "tuple[Listener, ...]"
    state: str
    audience: str = ""
    local: str = ""
    login: Login | None = None
