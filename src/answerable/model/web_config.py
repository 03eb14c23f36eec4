"""Configuration of the web interface: listeners, sign-in and roles."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.model.config import Listener


class WebRole(StrEnum):
    """Role of a person in the web page; every role may read."""

    VIEWER = "viewer"
    INVESTIGATOR = "investigator"
    OWNER = "owner"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class WebLoginConfig:
    """Sign-in configuration for an OpenID provider.

    Attributes:
        issuer: Pinned issuer whose tokens identify people.
        client_id: Our client id, which is the audience of its ID tokens.
        secret_env: Environment variable with our client secret, empty for a public
            client.
        claim: Claim whose values map to roles, empty for none.
        given: Pairs (claim value, roles).
        default: Roles of all other persons; empty to refuse them.
        scopes: Additional scope tokens, e.g. one that adds the claim.
    """

    issuer: str
    client_id: str
    secret_env: str
    claim: str
    given: tuple[tuple[str, frozenset[WebRole]], ...]
    default: frozenset[WebRole]
    scopes: tuple[str, ...] = ()

    def get_web_roles_of_claims(self, values: frozenset[str]) -> frozenset[WebRole]:
        """Return the web roles for these values of the login claim."""
        found = [roles for value, roles in self.given if value in values]
        return frozenset().union(self.default, *found)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Section `web`: the web page.

    Attributes:
        url: Public scheme and authority; empty for the address of its first listener.
        listen: In file order.
        state: Its own folder. Empty for `web` in the store.
        audience: Required `aud` of tokens for `/api/v1`; empty to accept none.
        local: Mail address or handle of the person behind the printed sign-in link,
            empty for an unnamed one.
        login: OpenID sign-in; None for sign-in by the link alone.
    """

    url: str
    listen: "tuple[Listener, ...]"
    state: str
    audience: str = ""
    local: str = ""
    login: WebLoginConfig | None = None
