"""Configuration of the policy decision point (PDP): listeners and permitted callers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.model.config import Listener, TokenCallerRule, UnixCallerRule


@dataclass(frozen=True, slots=True)
class EnforcementPointRule:
    """Policy enforcement point that may query decisions about other callers.

    Attributes:
        rule: Rule that authenticates it.
        servers: Upstream servers it may query, empty for all. With exactly one, its
            requests need not name the server.
    """

    rule: "TokenCallerRule | UnixCallerRule"
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionPointConfig:
    """Section `decisions`: the policy decision point.

    Attributes:
        url: Identifier of the decision point (AuthZEN 9.1.1), empty for the address of
            its first listener.
        listen: AuthZEN listeners, in file order.
        ext_authz: Envoy ext_authz listeners (gRPC), may be empty.
        state: Its own folder for the spool. Empty for `decisions` in the store.
        audience: Required `aud` of callers' tokens; empty for each issuer's.
        callers: Permitted enforcement points.
    """

    url: str
    listen: "tuple[Listener, ...]"
    ext_authz: "tuple[Listener, ...]"
    state: str
    audience: str
    callers: tuple[EnforcementPointRule, ...]
