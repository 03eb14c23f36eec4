"""A large set of policies is judged in processes of its own, one for each core.

Judging 10,000 policies takes a second of a core and more, for which a service would
hold up what else it does, and several times their size in memory, which it would not
get back. Each process is handed a share as soon as there is one.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from typing import Self

import msgspec

from answerable.enforce.cedar.approved import NOTHING_APPROVED, Approved
from answerable.enforce.cedar.judging import Judged, judge
from answerable.enforce.cedar.lexis import Piece
from answerable.serving.judging import received, send

_MODULE = "answerable.serving.judging"
SHARE = 500  # policies: fewer are judged about as soon as a process starts
MOST = 8  # processes

_judged = msgspec.msgpack.Decoder(list[Judged])
Share = tuple[Piece, ...]


def judged_apart(
    pieces: Iterable[Piece], approved: Approved = NOTHING_APPROVED
) -> list[Judged]:
    """Judge policies as `judge` does, a large set by several processes.

    What a process does not answer is judged here.

    Args:
        pieces: Each one policy, or what stands where one should.
        approved: What persons have approved of the tools' arguments.
    """
    shares = _shares(iter(pieces))
    first = next(shares, ())
    if len(first) < SHARE:
        return judge(first, approved)
    with _Judges(approved) as judges:
        handed = [(each, judges.take(each)) for each in chain((first,), shares)]
        found = [answer.result() or judge(share, approved) for share, answer in handed]
    return list(chain.from_iterable(found))


def _shares(pieces: Iterator[Piece]) -> Iterator[Share]:
    while share := tuple(islice(pieces, SHARE)):
        yield share


class _Judges:
    """Processes, started as they are needed; each has a thread that waits for it."""

    def __init__(self, approved: Approved) -> None:
        self._approved = approved
        most = min(os.cpu_count() or 1, MOST)
        self._waiting = ThreadPoolExecutor(most, initializer=self._start)
        self._own = threading.local()
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.shutdown(cancel_futures=True)
        for each in self._started:
            if each.stdin is not None:
                with suppress(OSError):  # gone already, with something unsaid
                    each.stdin.close()
        for each in self._started:
            with each:
                pass

    def take(self, share: Share) -> Future[list[Judged]]:
        """Have a share judged, by whoever is free first; nothing by who fails."""
        return self._waiting.submit(self._answered, share)

    def _start(self) -> None:
        self._own.process, self._own.is_new = None, True
        try:
            # -P: a module of that name in the working directory must not be run.
            process = subprocess.Popen(  # noqa: S603 - our own words
                (sys.executable, "-P", "-m", _MODULE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt is its service's to hear
            )
        except OSError:  # no process: shares are judged here
            return
        self._started.append(process)
        self._own.process = process

    def _answered(self, share: Share) -> list[Judged]:
        process = self._own.process
        if process is None:
            return []
        try:
            if self._own.is_new:
                send(process.stdin, self._approved)
                self._own.is_new = False
            send(process.stdin, share)
            found = _judged.decode(received(process.stdout))
        except (OSError, msgspec.DecodeError):  # it has ended, or says something else
            self._own.process = None
            return []
        return found if len(found) == len(share) else []
