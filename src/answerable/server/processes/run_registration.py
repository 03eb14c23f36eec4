"""Register runs: a launcher registers an agent's run, and reports its end.

Both are plain functions: the server reads the request and writes the answer.

    POST /runs         {"agent", "pid", "start", "program", "argv_sha256",
                        "config_sha256"}   201 {"run", "rule", "advisory"}
    DELETE /runs/ID                        204

The launcher is the process at the other end, as the kernel identifies it; a request
makes no claim about identity. The child must be the launcher's, freshly forked without
a program of its own, and already have the user that it will run as.
"""

import re
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import AgentId
from answerable.model.workload_attestation import ProcessIdentity
from answerable.server.processes.peer_attestation import ROOT, require_one_user
from answerable.server.processes.pidfd_process import (
    NotAttested,
    PidfdProcess,
    open_pidfd,
    read_proc_file,
)
from answerable.server.processes.proc_parsing import is_only_forked
from answerable.server.processes.run_registry import (
    RegisteredRun,
    RunRegistry,
    identify_process,
)
from answerable.server.processes.unix_peer import SocketPeer, open_peer_process

MAX_REQUEST = 16 * 1024  # bytes of a request
CREATED, NO_CONTENT = 201, 204
BAD, FORBIDDEN, NOT_FOUND, CONFLICT, LATER = 400, 403, 404, 409, 503
_AGENT = re.compile(r"agent:[!-~]{1,500}")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{0,4094}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """Launch that a rule is to allow.

    Attributes:
        agent: Id of the agent.
        started_by: User of the launcher.
        runs_as: User of the started process.
        program: Absolute path of the program.
    """

    agent: AgentId
    started_by: int
    runs_as: int
    program: str


FindLaunchRule = Callable[[LaunchRequest], str]
"""Gives the id of the one rule that allows a launch, empty where none does.

Raises `LaunchRevoked` where one would, and a kill stands against it.
"""


class LaunchRevoked(Exception):  # noqa: N818 - an outcome
    """Launch that a rule allows, and a revocation forbids.

    Args:
        note: Author and time, where known: ` by ana at ...`.
    """

    def __init__(self, subject: str, note: str) -> None:
        super().__init__(f"{subject} is killed{note}")


@dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """HTTP answer, and the facts for evidence.

    Attributes:
        body: JSON; empty with 204.
        reason: Reason of a refusal, a word; empty for none.
        run: Run that was registered or ended.
    """

    status: int
    body: bytes = b""
    reason: str = ""
    run: RegisteredRun | None = None


class _RegistrationRequest(msgspec.Struct, forbid_unknown_fields=True):
    agent: str
    pid: int
    start: int
    program: str
    argv_sha256: str
    config_sha256: str = ""


class _RegistrationRefused(Exception):  # noqa: N818 - an outcome
    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = RegistrationAnswer(
            status,
            msgspec.json.encode({"error": reason, "error_description": sentence}),
            reason,
        )


def register_run(
    runs: RunRegistry,
    connection: socket.socket,
    body: bytes,
    find_launch_rule: FindLaunchRule,
    now: int,
    *,
    allow_root: bool = False,
) -> RegistrationAnswer:
    """Register an agent's run that the launcher announces, durably.

    Args:
        runs: The registry.
        connection: Connection of the launcher, a unix socket as accepted.
        body: Body of its request.
        find_launch_rule: Finds the rule that allows the launch.
        now: NumericDate.
        allow_root: Some rule allows a process of root; `find_launch_rule` finds which.

    Returns:
        201; 400 for a malformed request; 403 where the attestation or the rules refuse;
        409 where the launcher has a run already; 503 where there are too many, or the
        disk fails.
    """
    try:
        asked = _parse_registration(body)
        with ExitStack() as held:
            launcher = open_peer_process(connection)
            held.enter_context(launcher.process)
            child = PidfdProcess(open_pidfd(asked.pid), asked.pid)
            held.enter_context(child)
            run = _check_registration(
                runs,
                launcher,
                child,
                asked,
                find_launch_rule,
                now,
                allow_root=allow_root,
            )
            runs.register_run(run, child, launcher.process)
            held.pop_all()
    except _RegistrationRefused as refused:
        return refused.answer
    except NotAttested as refused:
        return _RegistrationRefused(FORBIDDEN, refused.reason, refused.message).answer
    except EnvironmentFailure as refused:
        return _RegistrationRefused(LATER, "state", refused.message).answer
    told = {"run": run.name, "rule": run.rule, "advisory": run.is_advisory}
    return RegistrationAnswer(CREATED, msgspec.json.encode(told), run=run)


def finish_run(
    runs: RunRegistry, connection: socket.socket, id: str
) -> RegistrationAnswer:
    """End a run at the request of its launcher.

    Args:
        runs: The registry.
        connection: Connection of the launcher, a unix socket as accepted.
        id: Id in the target of the request.

    Returns:
        204; 404 for an unknown run, or another launcher's: the same to the client. The
        second has a reason. The first has none, since the end of a run may have been
        noticed before its launcher reports it.
    """
    try:
        with open_peer_process(connection).process as launcher:
            run = runs.find_by_id(id)
            if run is not None and identify_process(launcher) == run.launcher:
                runs.end_run(run)
                return RegistrationAnswer(NO_CONTENT, run=run)
            unknown = run is None
    except NotAttested as refused:
        return _RegistrationRefused(FORBIDDEN, refused.reason, refused.message).answer
    answer = _RegistrationRefused(
        NOT_FOUND, "no-such-run", "this launcher has no such run"
    ).answer
    return replace(answer, reason="") if unknown else answer


def _parse_registration(body: bytes) -> _RegistrationRequest:
    """Parse and check the JSON body of a registration."""
    if len(body) > MAX_REQUEST:
        raise _RegistrationRefused(BAD, "malformed", f"larger than {MAX_REQUEST} bytes")
    try:
        asked = msgspec.json.decode(body, type=_RegistrationRequest)
    except (msgspec.DecodeError, RecursionError):
        raise _RegistrationRefused(
            BAD, "malformed", "not a valid run request"
        ) from None
    whole = (
        _AGENT.fullmatch(asked.agent)
        and _PATH.fullmatch(asked.program)
        and _DIGEST.fullmatch(asked.argv_sha256)
        and (not asked.config_sha256 or _DIGEST.fullmatch(asked.config_sha256))
        and 0 < asked.pid < 2**31
        and asked.start >= 0
    )
    if not whole:
        raise _RegistrationRefused(BAD, "malformed", "not a valid run request")
    return asked


def _check_registration(
    runs: RunRegistry,
    launcher: SocketPeer,
    child: PidfdProcess,
    request: _RegistrationRequest,
    find_launch_rule: FindLaunchRule,
    now: int,
    *,
    allow_root: bool,
) -> RegisteredRun:
    """Check launcher, child and rule of a registration; return the run."""
    if not launcher.is_certain:
        raise _RegistrationRefused(
            FORBIDDEN,
            "no-pidfd",
            "the kernel cannot identify the peer process (requires Linux 6.5 or later)",
        )
    # A launcher may run as root: it has to, to start another user's process.
    started_by = require_one_user(launcher, allow_root=True).uids[0]
    process, uid, gid = _check_child_process(child, launcher.process, request)
    if uid == ROOT and not allow_root:
        raise _RegistrationRefused(
            FORBIDDEN,
            "superuser",
            "the process runs as root, which can act as any user; use --user",
        )
    if runs.find_ancestor_run(launcher.process) is not None:
        raise _RegistrationRefused(
            FORBIDDEN,
            "inside-a-run",
            "an agent cannot start another agent with `run`; it can delegate part "
            "of its own permissions",
        )
    if runs.find_by_launcher(launcher.process) is not None:
        raise _RegistrationRefused(
            CONFLICT, "has-a-run", "this launcher already has a run"
        )
    if runs.is_full(started_by):
        raise _RegistrationRefused(
            LATER, "too-many-runs", "too many runs; try again later"
        )
    agent = AgentId(request.agent)
    try:
        rule = find_launch_rule(LaunchRequest(agent, started_by, uid, request.program))
    except LaunchRevoked as killed:
        raise _RegistrationRefused(FORBIDDEN, "killed", str(killed)) from None
    if not rule:
        raise _RegistrationRefused(
            FORBIDDEN,
            "no-rule",
            f"no rule lets user {started_by} start {agent} as user {uid}",
        )
    by = identify_process(launcher.process)
    # The facts belong to these two processes only if they are still alive.
    child.check_alive()
    return RegisteredRun(
        id=secrets.token_hex(16),
        agent=agent,
        rule=rule,
        process=process,
        launcher=by,
        started_by=started_by,
        uid=uid,
        gid=gid,
        program=request.program,
        argv_sha256=request.argv_sha256,
        config_sha256=request.config_sha256,
        since=now,
    )


def _check_child_process(
    child: PidfdProcess, launcher: PidfdProcess, request: _RegistrationRequest
) -> tuple[ProcessIdentity, int, int]:
    """Check that a process is the launcher's, new, and has one user.

    Returns:
        The process, its user and its group.
    """
    who = child.read_credentials()
    launcher.check_alive()
    process = identify_process(child)
    if who.ppid != launcher.pid or process.start != request.start:
        raise _RegistrationRefused(
            FORBIDDEN,
            "no-child",
            "the process is not a child of the requesting process",
        )
    if not child.read_facts(_has_only_forked):
        raise _RegistrationRefused(
            FORBIDDEN, "has-begun", "the process is already running"
        )
    if not who.is_single_user:
        raise _RegistrationRefused(
            FORBIDDEN, "several-users", "the process has several user ids"
        )
    return process, who.uids[0], who.gids[0]


def _has_only_forked(folder: Path) -> bool:
    """Return whether a process was forked and has not executed a program yet."""
    return is_only_forked(read_proc_file(folder / "stat"))
