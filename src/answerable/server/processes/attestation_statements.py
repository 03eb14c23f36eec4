"""State in words what an attestation proves about a process, and what not."""

from dataclasses import dataclass

from answerable.server.processes.run_registry import RegisteredRun


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """Facts that were read while a pidfd held the process.

    Attributes:
        unit: Its systemd unit, or empty.
        invocation: Invocation id of that unit, or empty.
        container: Its container id, or empty.
        program: Path of its executable, or empty.
        program_sha256: Digest of that file, hex, or empty.
        is_certain: The kernel returned the pidfd itself, so all facts are of the
            process that connected; otherwise only user and group are.
    """

    uid: int
    gid: int
    unit: str = ""
    invocation: str = ""
    container: str = ""
    program: str = ""
    program_sha256: str = ""
    is_certain: bool = True


def list_proven_facts(facts: PeerFacts, run: RegisteredRun | None) -> tuple[str, ...]:
    """List in words what the facts prove about a process."""
    said = [
        f"the connection was opened by a process of user {facts.uid} and group "
        f"{facts.gid}"
    ]
    if facts.is_certain:
        said.append(
            "the process was alive and had the same user after these facts were read"
        )
    if facts.unit:
        start = f", invocation {facts.invocation}" if facts.invocation else ""
        said.append(f"the service manager started it in unit {facts.unit}{start}")
    if facts.container:
        said.append(
            "a container runtime of the superuser placed it in container "
            f"{facts.container[:12]}"
        )
    if facts.program_sha256:
        said.append("the executable that it ran at that time has this digest")
    if run is not None:
        said += _list_proven_by_run(run)
    return tuple(said)


def _list_proven_by_run(run: RegisteredRun) -> tuple[str, ...]:
    """List what the registration of its run proves about a process."""
    return (
        f"a process of user {run.started_by} requested the start of {run.agent}, "
        f"and rule {run.rule} allows this user to start it",
        "it is the process that was started, or its descendant, and the started "
        "process is still running",
        f"it had user {run.uid} and was registered before its first instruction",
    )


def list_unproven_facts(facts: PeerFacts, run: RegisteredRun | None) -> tuple[str, ...]:
    """List in words what the facts do not prove, though one could assume it."""
    where = _describe_shared_scope(facts)
    said = [
        f"that the request comes from this process and not from another {where}: a "
        "process can forward responses, and another process can inherit or "
        "receive the connection",
        "which program opened the connection: a process can execute another "
        "program later",
    ]
    if not facts.is_certain:
        said.append(
            "which process of this user it was, its unit and its container: this "
            "kernel provides no pidfd of the peer (requires Linux 6.5)"
        )
    if facts.program:
        said.append(
            "which script an interpreter runs: the digest covers only the interpreter"
        )
    if run is not None:
        said += _list_unproven_by_run(run)
    return tuple(said)


def _describe_shared_scope(facts: PeerFacts) -> str:
    """Describe which processes share these facts: user, unit or container."""
    if facts.container:
        return f"of user {facts.uid} in the same container"
    if facts.unit:
        return f"of user {facts.uid} in the same unit"
    return f"of user {facts.uid}"


def _list_unproven_by_run(run: RegisteredRun) -> tuple[str, ...]:
    """List what the registration of its run does not prove."""
    said = [
        f"which person uses the terminal of user {run.started_by}",
        "that it behaves as its program, arguments and configuration specify: the "
        "launcher reports their digests at start only",
    ]
    if run.is_advisory:
        said.append(
            f"that it is the agent and not another process of user {run.uid}: any "
            "process of this user can control it or start it in the same way "
            "(advisory)"
        )
    return tuple(said)
