"""Registration of runs: a launcher registers the run of an agent, and reports its end.

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

from answerable.model.attestation import Process
from answerable.model.errors import EnvironmentRefused
from answerable.model.ids import AgentId
from answerable.server.processes.held_process import Hold, NotAttested, opened, text
from answerable.server.processes.peer_attestation import ROOT, one_user
from answerable.server.processes.proc_parsing import has_only_forked
from answerable.server.processes.run_registry import Run, Runs, identified
from answerable.server.processes.unix_peer import Connector, connector_of

LARGEST = 16 * 1024  # bytes of a request
CREATED, NO_CONTENT = 201, 204
BAD, FORBIDDEN, NOT_FOUND, CONFLICT, LATER = 400, 403, 404, 409, 503
_AGENT = re.compile(r"agent:[!-~]{1,500}")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{0,4094}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Launch:
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


Allows = Callable[[Launch], str]
"""Gives the id of the one rule that allows a launch, empty where none does.

Raises `Killed` where one would, and a kill stands against it.
"""


class Killed(Exception):  # noqa: N818 - an outcome
    """Launch that a rule allows, and a revocation forbids.

    Args:
        note: Author and time, where known: ` by ana at ...`.
    """

    def __init__(self, subject: str, note: str) -> None:
        super().__init__(f"{subject} is killed{note}")


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP answer, and the facts for evidence.

    Attributes:
        body: JSON; empty with 204.
        reason: Reason of a refusal, a word; empty for none.
        run: Run that was registered or ended.
    """

    status: int
    body: bytes = b""
    reason: str = ""
    run: Run | None = None


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    agent: str
    pid: int
    start: int
    program: str
    argv_sha256: str
    config_sha256: str = ""


class _Refused(Exception):  # noqa: N818 - an outcome
    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = Answer(
            status,
            msgspec.json.encode({"error": reason, "error_description": sentence}),
            reason,
        )


def register(
    runs: Runs,
    connection: socket.socket,
    body: bytes,
    allows: Allows,
    now: int,
    *,
    root: bool = False,
) -> Answer:
    """Register a run, durable on return.

    Args:
        runs: The registry.
        connection: Connection of the launcher, a unix socket as accepted.
        body: Body of its request.
        allows: Finds the rule that allows the launch.
        now: NumericDate.
        root: Some rule allows a process of root; `allows` finds which.

    Returns:
        201; 400 for a malformed request; 403 where the attestation or the rules refuse;
        409 where the launcher has a run already; 503 where there are too many, or the
        disk fails.
    """
    try:
        asked = _read(body)
        with ExitStack() as held:
            launcher = connector_of(connection)
            held.enter_context(launcher.process)
            child = Hold(opened(asked.pid), asked.pid)
            held.enter_context(child)
            run = _checked(runs, launcher, child, asked, allows, now, root=root)
            runs.add(run, child, launcher.process)
            held.pop_all()
    except _Refused as refused:
        return refused.answer
    except NotAttested as refused:
        return _Refused(FORBIDDEN, refused.reason, refused.message).answer
    except EnvironmentRefused as refused:
        return _Refused(LATER, "state", refused.message).answer
    told = {"run": run.name, "rule": run.rule, "advisory": run.is_advisory}
    return Answer(CREATED, msgspec.json.encode(told), run=run)


def finish(runs: Runs, connection: socket.socket, id: str) -> Answer:
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
        with connector_of(connection).process as launcher:
            run = runs.find(id)
            if run is not None and identified(launcher) == run.launcher:
                runs.end(run)
                return Answer(NO_CONTENT, run=run)
            unknown = run is None
    except NotAttested as refused:
        return _Refused(FORBIDDEN, refused.reason, refused.message).answer
    answer = _Refused(NOT_FOUND, "no-such-run", "no run of this launcher's").answer
    return replace(answer, reason="") if unknown else answer


def _read(body: bytes) -> _Asked:
    if len(body) > LARGEST:
        raise _Refused(BAD, "malformed", f"larger than {LARGEST} bytes")
    try:
        asked = msgspec.json.decode(body, type=_Asked)
    except (msgspec.DecodeError, RecursionError):
        raise _Refused(BAD, "malformed", "not a request for a run") from None
    whole = (
        _AGENT.fullmatch(asked.agent)
        and _PATH.fullmatch(asked.program)
        and _DIGEST.fullmatch(asked.argv_sha256)
        and (not asked.config_sha256 or _DIGEST.fullmatch(asked.config_sha256))
        and 0 < asked.pid < 2**31
        and asked.start >= 0
    )
    if not whole:
        raise _Refused(BAD, "malformed", "not a request for a run")
    return asked


def _checked(
    runs: Runs,
    launcher: Connector,
    child: Hold,
    asked: _Asked,
    allows: Allows,
    now: int,
    *,
    root: bool,
) -> Run:
    if not launcher.is_certain:
        raise _Refused(
            FORBIDDEN,
            "no-pidfd",
            "this kernel does not say which process connected (Linux 6.5 does)",
        )
    # A launcher may run as root: it has to, to start another user's process.
    started_by = one_user(launcher, root=True).uids[0]
    process, uid, gid = _child(child, launcher.process, asked)
    if uid == ROOT and not root:
        raise _Refused(
            FORBIDDEN,
            "superuser",
            "that process runs as the superuser, who can be anybody; name a --user",
        )
    if runs.above(launcher.process) is not None:
        raise _Refused(
            FORBIDDEN,
            "inside-a-run",
            "an agent starts no other one this way; it delegates a part of its own",
        )
    if runs.started_from(launcher.process) is not None:
        raise _Refused(CONFLICT, "has-a-run", "this launcher has a run already")
    if runs.is_full(started_by):
        raise _Refused(LATER, "too-many-runs", "too many runs; try again later")
    agent = AgentId(asked.agent)
    try:
        rule = allows(Launch(agent, started_by, uid, asked.program))
    except Killed as killed:
        raise _Refused(FORBIDDEN, "killed", str(killed)) from None
    if not rule:
        raise _Refused(
            FORBIDDEN,
            "no-rule",
            f"no rule lets user {started_by} start {agent} as user {uid}",
        )
    by = identified(launcher.process)
    # The facts belong to these two processes only if they are still alive.
    child.check()
    return Run(
        id=secrets.token_hex(16),
        agent=agent,
        rule=rule,
        process=process,
        launcher=by,
        started_by=started_by,
        uid=uid,
        gid=gid,
        program=asked.program,
        argv_sha256=asked.argv_sha256,
        config_sha256=asked.config_sha256,
        since=now,
    )


def _child(child: Hold, launcher: Hold, asked: _Asked) -> tuple[Process, int, int]:
    """Check that a process is the launcher's, new, and has one user.

    Returns:
        The process, its user and its group.
    """
    who = child.credentials()
    launcher.check()
    process = identified(child)
    if who.ppid != launcher.pid or process.start != asked.start:
        raise _Refused(
            FORBIDDEN,
            "no-child",
            "that process is no child of the one that asks, as this service sees them",
        )
    if not child.facts(_has_only_forked):
        raise _Refused(FORBIDDEN, "has-begun", "that process runs already")
    if not who.is_one:
        raise _Refused(FORBIDDEN, "several-users", "that process is several users")
    return process, who.uids[0], who.gids[0]


def _has_only_forked(folder: Path) -> bool:
    return has_only_forked(text(folder / "stat"))
