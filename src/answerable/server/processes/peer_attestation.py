"""Attest the process at the other end of a unix socket, and state the limits.

The security boundary is the user, the unit or the container, never one process of a
user: a process may run another program after it connected, and a connection may be
inherited or passed on. `senders` ensures that bytes come from the process that
connected; who instructs that process is unknown.
"""

import os
import socket
from pathlib import Path

from answerable.model.workload_attestation import Attestation, Attestor, ProcessIdentity
from answerable.server.processes.attestation_statements import (
    PeerFacts,
    list_proven_facts,
    list_unproven_facts,
)
from answerable.server.processes.container_id import parse_container_id
from answerable.server.processes.executable_digest import ExecutableDigests
from answerable.server.processes.pidfd_credentials import ProcessCredentials
from answerable.server.processes.pidfd_process import NotAttested, read_proc_file
from answerable.server.processes.proc_parsing import parse_systemd_unit
from answerable.server.processes.run_registry import (
    RegisteredRun,
    RunRegistry,
    identify_process,
)
from answerable.server.processes.unix_peer import (
    SO_PEERPIDFD,
    SocketPeer,
    open_peer_process,
)

ROOT = 0
_UNITS = Path("/run/systemd/units")
_EXECUTABLES = ExecutableDigests()


def attest_peer(
    connection: socket.socket,
    runs: RunRegistry | None = None,
    *,
    allow_root: bool = False,
    peer_option: int = SO_PEERPIDFD,
) -> Attestation:
    """Attest the process at the other end of a Unix socket, by its pidfd.

    It reads /proc, and each version of an executable once: too slow for a shared event
    loop.

    Args:
        connection: A connected unix socket, as accepted.
        runs: Registry of runs; None for none.
        allow_root: Accept a process of root, which can act as any user.
        peer_option: Socket option that returns a pidfd of the peer.

    Raises:
        NotAttested: It ended (`process-gone`), is root (`superuser`), or has several
            users, or another one than when it connected (`several-users`).
    """
    peer = open_peer_process(connection, peer_option)
    with peer.process as process:
        before = require_one_user(peer, allow_root=allow_root)
        facts = _read_peer_facts(peer)
        run = (
            runs.find_by_process(process)
            if runs is not None and peer.is_certain
            else None
        )
        named = identify_process(process)
        # Last check: it is alive, and has the same user.
        after = process.read_credentials()
    if (after.uids, after.gids) != (before.uids, before.gids):
        raise _build_several_users_error()
    return _build_attestation(named, facts, run)


def require_one_user(peer: SocketPeer, *, allow_root: bool) -> ProcessCredentials:
    """Require that a process has one user, the same as when it connected.

    A setuid program has two. It is unknown for which of them it acts: one may have
    started it to act for the other.

    Raises:
        NotAttested: It has several, or ended, or is root.
    """
    now = peer.process.read_credentials()
    if ROOT in (peer.uid, *now.uids) and not allow_root:
        raise NotAttested(
            "superuser",
            "the peer process runs as the superuser, who can act as any user",
            "run it as a dedicated user; if it must be the superuser, name uid 0 "
            "in a rule",
        )
    if not now.is_single_user or (now.uids[0], now.gids[0]) != (peer.uid, peer.gid):
        raise _build_several_users_error()
    return now


def _build_several_users_error() -> NotAttested:
    """Build the error for a process with more than one user or group."""
    return NotAttested(
        "several-users",
        "the peer process does not have a single user and group",
        "connect from a program without setuid or setgid",
    )


def _read_peer_facts(peer: SocketPeer) -> PeerFacts:
    """Read the facts about a peer; only user and group where no pidfd holds it."""
    if not peer.is_certain:
        return PeerFacts(peer.uid, peer.gid, is_certain=False)
    cgroup, (program, digest) = peer.process.read_facts(
        lambda folder: (
            read_proc_file(folder / "cgroup"),
            _EXECUTABLES.read_path_and_digest(folder),
        )
    )
    unit = parse_systemd_unit(cgroup)
    return PeerFacts(
        uid=peer.uid,
        gid=peer.gid,
        unit=unit,
        invocation=_read_systemd_invocation(unit),
        container=parse_container_id(cgroup),
        program=program,
        program_sha256=digest,
    )


def _read_systemd_invocation(unit: str) -> str:
    """Return systemd's invocation id of a unit, empty without one.

    The service manager keeps it as a link that every user may read and only the manager
    may write. The environment of the process is the process's own claim.
    """
    if not unit:
        return ""
    try:
        named = os.readlink(_UNITS / f"invocation:{unit}")
    except OSError:
        return ""
    is_id = len(named) == 32 and set(named) <= set("0123456789abcdef")
    return named if is_id else ""


def _build_attestation(
    process: ProcessIdentity, facts: PeerFacts, run: RegisteredRun | None
) -> Attestation:
    """Build the attestation of a process from its facts and its run."""
    # A process of our own user can read our keys, and needs no token.
    advisory = facts.uid == os.geteuid() or (run is not None and run.is_advisory)
    return Attestation(
        attestor=Attestor.UNIX_PEER if run is None else Attestor.LAUNCHER,
        process=process,
        uid=facts.uid,
        gid=facts.gid,
        unit=facts.unit,
        container=facts.container,
        program=facts.program,
        program_sha256=facts.program_sha256,
        run=str(process) if run is None else run.name,
        agent="" if run is None else run.agent,
        started_by=-1 if run is None else run.started_by,
        argv_sha256="" if run is None else run.argv_sha256,
        config_sha256="" if run is None else run.config_sha256,
        advisory=advisory,
        proves=list_proven_facts(facts, run),
        does_not_prove=list_unproven_facts(facts, run),
        invocation=facts.invocation,
        started="" if run is None else run.program,
        rule="" if run is None else run.rule,
    )
