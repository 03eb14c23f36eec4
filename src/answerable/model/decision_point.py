"""The decision point's own section of the configuration: who may ask it, and where."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.model.config import IssuerCaller, Listener, UnixCaller


@dataclass(frozen=True, slots=True)
class EnforcementPoint:
    """Whoever may ask what others may do; nobody else may.

    Attributes:
        rule: By what it is known.
        servers: Upstream servers that it may ask about, empty for all. Where it is one,
            what it asks about needs no server named.
    """

    rule: "IssuerCaller | UnixCaller"
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionPoint:
    """The section `decisions`.

    Attributes:
        url: Identifier of the decision point (AuthZEN 9.1.1), empty for the address of
            its first listener.
        listen: Where AuthZEN is spoken, in file order.
        ext_authz: Where Envoy's external authorisation is, over gRPC; none where empty.
        state: Its own folder: the spool. Empty for `decisions` in the store.
        audience: The one `aud` of tokens of those who ask; empty for each issuer's.
        callers: Who may ask.
    """

    url: str
    listen: "tuple[Listener, ...]"
    ext_authz: "tuple[Listener, ...]"
    state: str
    audience: str
    callers: tuple[EnforcementPoint, ...]
