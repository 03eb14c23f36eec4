"""Attestations: what the kernel or a launcher says of a local workload, and no more."""

from dataclasses import dataclass
from enum import StrEnum


class Attestor(StrEnum):
    """Who attests."""

    UNIX_PEER = "unix-peer"  # the kernel, of the process that connected
    LAUNCHER = "launcher"  # `answerable run`, of the process that it started


@dataclass(frozen=True, slots=True)
class Process:
    """One process, named so that no later one can be taken for it.

    Attributes:
        boot: Boot id of the machine.
        pid: Its number, in our own namespace.
        start: When it started, clock ticks since boot.
    """

    boot: str
    pid: int
    start: int

    def __str__(self) -> str:
        return f"process:{self.boot}/{self.pid}/{self.start}"


@dataclass(frozen=True, slots=True)
class Attestation:
    """What was found out about a workload while a pidfd held it.

    Attributes:
        attestor: Who says so.
        process: The process that connected.
        uid: Its user.
        gid: Its group.
        unit: Its systemd unit, empty where it has none or the kernel cannot tell.
        container: Its container id, empty likewise.
        program: Path of its executable; shown, never enough to tell a program by.
        program_sha256: Digest of that file, hex; empty where it cannot be read.
        run: Run that a launcher registered and this process belongs to, else a name
            for the process itself.
        agent: Agent that the launcher was asked to start, empty without a launcher.
        started_by: User id of whoever asked the launcher, -1 without one.
        argv_sha256: Digest of the argument list that was started, hex, or empty.
        config_sha256: Digest of the agent's configuration at its start, or empty.
        advisory: The user that runs it is also its owner's, so that what is attested
            can be passed on among that user's processes.
        proves: What follows from this, a sentence each.
        does_not_prove: What does not, a sentence each.
        invocation: One start of the unit, systemd's name for it; empty where unknown.
        started: Absolute path of what the launcher started, which may be a script;
            empty without a launcher.
        rule: Id of the rule that let the launcher start it, empty without one.
    """

    attestor: Attestor
    process: Process
    uid: int
    gid: int
    unit: str
    container: str
    program: str
    program_sha256: str
    run: str
    agent: str
    started_by: int
    argv_sha256: str
    config_sha256: str
    advisory: bool
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]
    invocation: str = ""
    started: str = ""
    rule: str = ""
