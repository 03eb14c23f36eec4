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
    said = [f"a process of user {facts.uid} and group {facts.gid} made this connection"]
    if facts.is_certain:
        said.append("it was alive, and still that user, after all of this was read")
    if facts.unit:
        start = f", in its start {facts.invocation}" if facts.invocation else ""
        said.append(f"the service manager put it into unit {facts.unit}{start}")
    if facts.container:
        said.append(f"a runtime of the superuser's put it into {facts.container[:12]}")
    if facts.program_sha256:
        said.append("the executable it ran at that moment has this digest")
    if run is not None:
        said += _list_proven_by_run(run)
    return tuple(said)


def _list_proven_by_run(run: RegisteredRun) -> tuple[str, ...]:
    """List what the registration of its run proves about a process."""
    return (
        f"a process of user {run.started_by} asked to start {run.agent} and rule "
        f"{run.rule} lets that user",
        "it is the process that was started then, or descends from it, and that one "
        "still runs",
        f"before its first instruction it was user {run.uid}, and registered",
    )


def list_unproven_facts(facts: PeerFacts, run: RegisteredRun | None) -> tuple[str, ...]:
    """List in words what the facts do not prove, though one could assume it."""
    where = _describe_shared_scope(facts)
    said = [
        f"that this process and no other {where} asks: it may pass on what it gets, and "
        "a connection can be inherited or handed on",
        "which program connected: a process may run another one afterwards",
    ]
    if not facts.is_certain:
        said.append(
            "which process of that user it was, its unit and its container: this kernel "
            "gives no pidfd of a peer (Linux 6.5 does)"
        )
    if facts.program:
        said.append("what an interpreter runs: a digest of it says nothing of a script")
    if run is not None:
        said += _list_unproven_by_run(run)
    return tuple(said)


def _describe_shared_scope(facts: PeerFacts) -> str:
    """Describe which processes share these facts: user, unit or container."""
    if facts.container:
        return f"of user {facts.uid} in that container"
    if facts.unit:
        return f"of user {facts.uid} in that unit"
    return f"of user {facts.uid}"


def _list_unproven_by_run(run: RegisteredRun) -> tuple[str, ...]:
    """List what the registration of its run does not prove."""
    said = [
        f"who sits at the terminal of user {run.started_by}",
        "that it does what its program, arguments and configuration were written to do: "
        "their digests are the launcher's word, of the moment it was started",
    ]
    if run.is_advisory:
        said.append(
            f"that it is the agent and not another process of user {run.uid}: any of "
            "them can control it, or start it alike (advisory)"
        )
    return tuple(said)
