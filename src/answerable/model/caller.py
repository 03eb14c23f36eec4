"""Callers: who stands at the other end of a connection, and how that is known."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import AgentId


class Shown(StrEnum):
    """What a caller showed, strongest first."""

    MTLS_TOKEN = "mtls-token"  # noqa: S105 - a kind: a token bound to a certificate
    DPOP_TOKEN = "dpop-token"  # noqa: S105 - a kind: a token bound to a key
    UNIX_PEER = "unix-peer"  # the kernel names the process at the other end
    PARENT_PROCESS = "parent-process"  # stdio: whoever started us
    BEARER_TOKEN = "bearer-token"  # noqa: S105 - a kind: whoever holds it presents it
    ENFORCEMENT_POINT = "enforcement-point"  # one that may ask us says who calls it


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that was verified. Nothing here is the caller's own word.

    Attributes:
        agent: The agent it stands for; `agent:caller/ISSUER/SUB` and the like where the
            configuration names none.
        known: That agent is in the inventory or the configuration.
        person: Person at the head of the chain, where our own token service says so;
            empty otherwise.
        run: `dlg`, else `jti` of the token, else a name for the process: one attested
            start of an agent.
        shown: How it is known.
        principal: What sessions, tasks and states are bound to: issuer and subject, or
            uid and unit, never a run.
        token_sha256: Digest of the token, 32 bytes; empty without one.
        expires: NumericDate after which it has to show something again; 0 for never.
        chain: Agents above it, root first, where our own token service says so.
    """

    agent: AgentId
    known: bool
    person: str
    run: str
    shown: Shown
    principal: str
    token_sha256: bytes
    expires: int
    chain: tuple[AgentId, ...] = ()
