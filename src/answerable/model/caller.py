"""Type of a verified caller: the peer of a connection and how it authenticated."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import AgentId


class AuthenticationMethod(StrEnum):
    """Authentication method of a caller, strongest first."""

    MTLS_TOKEN = "mtls-token"  # noqa: S105 - a kind: a token bound to a certificate
    DPOP_TOKEN = "dpop-token"  # noqa: S105 - a kind: a token bound to a key
    UNIX_PEER = "unix-peer"  # the kernel names the process at the other end
    PARENT_PROCESS = "parent-process"  # stdio: the process that started us
    BEARER_TOKEN = "bearer-token"  # noqa: S105 - a kind: not bound to a key
    ENFORCEMENT_POINT = "enforcement-point"  # vouched for by an enforcement point


@dataclass(frozen=True, slots=True)
class VerifiedCaller:
    """Verified caller. No field is self-reported.

    Attributes:
        agent: Agent it authenticates as; `agent:caller/ISSUER/SUB` or similar where the
            configuration names none.
        known: The agent is in the inventory or the configuration.
        person: Person at the head of the chain according to our own token service;
            empty otherwise.
        run: `dlg`, else `jti` of the token, else a name for the process: one attested
            start of an agent.
        shown: Authentication method.
        principal: Owner of sessions, tasks and states: issuer and subject, or uid and
            unit, never a run.
        token_sha256: Digest of the token, 32 bytes; empty without one.
        expires: NumericDate after which it must authenticate again; 0 for never.
        chain: Parent agents, root first, according to our own token service.
    """

    agent: AgentId
    known: bool
    person: str
    run: str
    shown: AuthenticationMethod
    principal: str
    token_sha256: bytes
    expires: int
    chain: tuple[AgentId, ...] = ()
