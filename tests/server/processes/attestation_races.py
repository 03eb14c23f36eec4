"""Races against attestation, many times over: who is named, and who must never be.

A process of its own, with one thread: it forks often, and plays the service itself.

    python -m tests.server.processes.attestation_races KIND COUNT [--plant] [--proc]

`--plant` takes the look at liveness away, which has to be noticed; `--proc` has no
pidfd tell anything, as before Linux 6.13. Root takes the places of several users.
"""

import argparse
import array
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from answerable.model.workload_attestation import Attestation
from answerable.server.processes import (
    peer_attestation,
    pidfd_credentials,
    pidfd_process,
)
from answerable.server.processes.pidfd_process import PidfdProcess
from answerable.server.processes.sender_check import ForeignSender, SenderCheckedReader
from tests.server.processes.child_pool import (
    AGENT,
    ANA,
    BO,
    LIBC,
    SECONDS,
    SLEEP,
    AttestingService,
    pause,
)

# Who a connection names after its process is gone, and another has its number.


def reuse(service: AttestingService) -> None:
    """Another process, of the same user, an agent, gets the number at any step."""
    nursery, step = service.nursery, service.random.randrange(5)
    visitor, accepted = service.visitor(ANA)
    heir: list[int] = []
    uid = service.random.choice((ANA, ANA, BO))

    def switch() -> None:
        nursery.end(visitor)
        heir.append(nursery.fork(uid, pause, visitor))
        service.run_of(visitor, uid)

    try:
        with accepted, switched(step, switch):
            told = service.attested(accepted)
    except OSError:
        # Somebody else on this machine was given the number first.
        service.said["lost"] += 1
        return
    finally:
        for each in heir:
            nursery.end(each)
        service.runs.refresh_runs()
    service.judge(told, isinstance(told, str))


@contextmanager
def switched(step: int, switch: Callable[[], None]) -> Iterator[None]:
    """Have something happen before one of the steps of an attestation."""
    names = (
        "open_peer_process",
        "require_one_user",
        "_read_peer_facts",
        "identify_process",
    )
    if step == len(names):
        switch()
        yield
        return
    name = names[step]
    real = getattr(peer_attestation, name)

    def first(*args: object, **named: object) -> object:
        switch()
        return real(*args, **named)

    setattr(peer_attestation, name, first)
    try:
        yield
    finally:
        setattr(peer_attestation, name, real)


def ended(service: AttestingService) -> None:
    """It ended before anybody looked, waited for or not."""
    reap = service.random.random() < 0.5
    visitor, accepted = service.visitor(ANA)
    with accepted:
        service.nursery.end(visitor, reap=reap)
        told = service.attested(accepted)
    if not reap:
        service.nursery.reap(visitor)
    service.judge(told, told == "process-gone")


def exec_after(service: AttestingService) -> None:
    """It runs another program after it connected, which may be set to another user."""
    turned = service.folder / "turned"
    if not turned.exists():
        shutil.copy(SLEEP, turned)
        os.chown(turned, BO, BO)
        turned.chmod(0o6755)
    program = service.random.choice((SLEEP, str(turned)))

    def be() -> None:
        there = service.connect()
        there.set_inheritable(True)
        os.execv(program, [program, str(SECONDS)])  # noqa: S606 - ours

    visitor = service.nursery.fork(ANA, be)
    with service.accept() as accepted:
        time.sleep(service.random.random() / 300)
        told = service.attested(accepted)
    service.nursery.end(visitor)
    right = told == "several-users" and program != SLEEP
    if isinstance(told, Attestation):
        right = (told.uid, told.process.pid, told.agent) == (ANA, visitor, "")
        # It turned into two users; that it was one before says nothing now.
        right = right and told.program != str(turned)
    # While it becomes another program, nothing may be said of it for an instant.
    service.judge(told, right or told == "process-gone")


def superuser(service: AttestingService) -> None:
    """The superuser, or a program that is set to it."""
    visitor, accepted = service.visitor(0)
    with accepted:
        told = service.attested(accepted)
    service.nursery.end(visitor)
    service.judge(told, told == "superuser")


# Who wrote.


def handed_on(service: AttestingService) -> None:
    """The connection goes to a process of another user, and both write."""
    _written_by_two(service, BO, inherited=False)


def inherited(service: AttestingService) -> None:
    """A child of the same user has it from its parent, and both write."""
    _written_by_two(service, ANA, inherited=True)


def _written_by_two(service: AttestingService, uid: int, *, inherited: bool) -> None:
    ours = service.random.randrange(4)  # pieces of the connector's own, first
    here, there = socket.socketpair()

    def connector() -> None:
        connection = service.connect()
        for _ in range(ours):
            connection.send(b"own")
        if not inherited:
            handles = array.array("i", [connection.fileno()]).tobytes()
            there.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        elif os.fork() == 0:
            connection.send(b"foreign")
            os._exit(0)
        pause()

    def other() -> None:
        _, said, _, _ = here.recvmsg(1, 64)
        connection = socket.socket(fileno=array.array("i", said[0][2])[0])
        connection.send(b"foreign")
        pause()

    children = [service.nursery.fork(ANA, connector)]
    if not inherited:
        children.append(service.nursery.fork(uid, other))
    with here, there, service.accept() as accepted:
        read = _read_until_foreign(accepted)
        told = service.attested(accepted)
    for child in children:
        service.nursery.end(child)
    right = isinstance(told, Attestation) and told.uid == ANA
    service.said["refused" if right and read == b"own" * ours else "wrong"] += 1


def _read_until_foreign(accepted: socket.socket) -> bytes:
    senders, got = SenderCheckedReader(accepted), b""
    try:
        while piece := senders.receive(4096):
            got += piece
            if b"foreign" in got:
                break
    except ForeignSender:
        return got
    finally:
        senders.close()
    return b"nobody was refused"


# Which run a process belongs to.


def orphans(service: AttestingService) -> None:
    """Descendants, near and far, orphaned or not, before the end and after it."""
    kind = service.random.choice(("kin", "adopted", "lost", "ended"))
    LIBC.prctl(36, int(kind != "lost"), 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    orphaned = kind in ("adopted", "lost")
    generations = service.random.randrange(2 if orphaned else 1, 4)
    process = service.nursery.fork(
        ANA, lambda: _descend(service, generations, orphaned=orphaned)
    )
    service.run_of(process, ANA)
    os.kill(process, signal.SIGUSR1)
    with service.accept() as accepted:
        if kind == "ended":
            service.nursery.end(process)
        told = service.attested(accepted)
    agent = told.agent if isinstance(told, Attestation) else ""
    expected = AGENT if kind in ("kin", "adopted") else ""
    service.said[
        "wrong" if agent != expected else "named" if agent else "nobody's"
    ] += 1
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    _reap_all(service)


def _descend(service: AttestingService, generations: int, *, orphaned: bool) -> None:
    """Be the first of a run; the last of them connects."""
    os.setpgid(0, 0)
    # It is registered first, as a launcher would see to.
    if signal.sigtimedwait({signal.SIGUSR1}, SECONDS) is None:
        return
    parent = os.getpid()
    for generation in range(generations):
        parent = os.getpid()
        if os.fork():
            # Those between end, or wait as parents do; the first one always waits.
            if orphaned and generation:
                os._exit(0)
            pause()
    while orphaned and os.getppid() == parent:
        time.sleep(0.001)
    with service.connect():
        pause()


def _reap_all(service: AttestingService) -> None:
    with suppress(ChildProcessError):
        while True:
            service.nursery.alive.discard(os.waitpid(-1, 0)[0])


def outsiders(service: AttestingService) -> None:
    """Neither a neighbour nor the launcher itself is a part of a run."""
    process = service.nursery.fork(ANA, pause)
    visitor, accepted = service.visitor(service.random.choice((ANA, BO)))
    # A child of the launcher would be taken for an orphan: here that is a neighbour.
    launcher = service.random.choice((process, visitor))
    service.run_of(process, ANA, launcher)
    with accepted:
        told = service.attested(accepted)
    agent = told.agent if isinstance(told, Attestation) else ""
    service.judge(told, not agent)
    for each in (visitor, process):
        service.nursery.end(each)
    service.runs.refresh_runs()


def claimed(service: AttestingService) -> None:
    """A process of another user has the name of a run in its environment."""
    process = service.nursery.fork(ANA, pause)
    run = service.run_of(process, ANA, launcher=process)

    def be() -> None:
        there = service.connect()
        there.set_inheritable(True)
        claim = {"ANSWERABLE_RUN": run.name}
        os.execve(SLEEP, ["sleep", str(SECONDS)], claim)  # noqa: S606 - ours

    visitor = service.nursery.fork(service.random.choice((ANA, BO)), be)
    with service.accept() as accepted:
        told = service.attested(accepted)
    agent = told.agent if isinstance(told, Attestation) else ""
    service.judge(told, not agent)
    for each in (visitor, process):
        service.nursery.end(each)
    service.runs.refresh_runs()


NEEDS_ROOT = frozenset({"reuse", "exec-after", "superuser", "handed-on"})
KINDS = {
    "reuse": reuse,
    "ended": ended,
    "exec-after": exec_after,
    "superuser": superuser,
    "handed-on": handed_on,
    "inherited": inherited,
    "orphans": orphans,
    "outsiders": outsiders,
    "claimed": claimed,
}


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("kind", choices=KINDS)
    asked.add_argument("count", type=int)
    asked.add_argument("--plant", action="store_true")
    asked.add_argument("--proc", action="store_true")
    asked.add_argument("--seed", type=int, default=1)
    words = asked.parse_args()
    if words.proc or words.plant:
        pidfd_process.read_pidfd_credentials = lambda pidfd: None
        pidfd_credentials.read_pidfd_credentials = pidfd_process.read_pidfd_credentials
    if words.plant:
        PidfdProcess.has_ended = lambda self: False  # type: ignore[method-assign]
    # What a disk takes is not what races are about.
    os.fsync = lambda handle: None
    folder = Path(tempfile.mkdtemp(prefix="storm-"))
    folder.chmod(0o755)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    service = AttestingService(folder, words.seed)
    try:
        for _ in range(words.count):
            KINDS[words.kind](service)
    finally:
        service.nursery.close()
        service.runs.close()
        shutil.rmtree(folder)
    print(json.dumps({"kind": words.kind, "rounds": words.count, **service.said}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
