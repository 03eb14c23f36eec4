"""Workload attestation: facts about a local process from the kernel or a launcher."""

from dataclasses import dataclass
from enum import StrEnum


class Attestor(StrEnum):
    """Kind of attestor."""

    UNIX_PEER = "unix-peer"  # the kernel, of the process that connected
    LAUNCHER = "launcher"  # `answerable run`, of the process that it started


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Process identity that a reused pid cannot match: boot, pid and start time.

    Attributes:
        boot: Boot id of the machine.
        pid: Its number, in our own namespace.
        start: Start time, clock ticks since boot.
    """

    boot: str
    pid: int
    start: int

    def __str__(self) -> str:
        return f"process:{self.boot}/{self.pid}/{self.start}"


@dataclass(frozen=True, slots=True)
class Attestation:
    """Attestation of a workload, made while a pidfd held the process.

    Attributes:
        process: The process that connected.
        uid: Its user.
        unit: Its systemd unit, empty where it has none or the kernel cannot tell.
        container: Its container id; empty where there is none or it is unknown.
        program: Path of its executable; shown, never used to identify a program.
        program_sha256: Digest of that file, hex; empty where it cannot be read.
        run: Run that a launcher registered and this process belongs to, else a name
            for the process itself.
        agent: Agent that the launcher was asked to start, empty without a launcher.
        started_by: User id of the launcher's caller, -1 without one.
        argv_sha256: Digest of the argument list that was started, hex, or empty.
        config_sha256: Digest of the agent's configuration at its start, or empty.
        advisory: The process runs as its owner's own user, so that user's processes can
            pass the attested identity on.
        proves: Conclusions, one sentence each.
        does_not_prove: Open questions, one sentence each.
        invocation: One start of the unit, systemd's name for it; empty where unknown.
        started: Absolute path of what the launcher started, which may be a script;
            empty without a launcher.
        rule: Id of the rule that let the launcher start it, empty without one.
    """

    attestor: Attestor
    process: ProcessIdentity
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
