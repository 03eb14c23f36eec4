"""Check large policy sets in a pool of processes, one per core.

Checking 10,000 policies takes more than a second of a core, and several times their
size in memory, which a service would not get back. Each process gets a batch as soon as
one is parsed.
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

from answerable.authorization.cedar.approved_schemas import (
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
)
from answerable.authorization.cedar.lexer import PolicyText
from answerable.authorization.cedar.validation import ValidatedPolicy, validate_policies
from answerable.server.policy_check_worker import read_message, write_message

_MODULE = "answerable.server.policy_check_worker"
BATCH_SIZE = 500  # policies: fewer are judged about as soon as a process starts
MAX_PROCESSES = 8  # processes

_results_decoder = msgspec.msgpack.Decoder(list[ValidatedPolicy])
PolicyBatch = tuple[PolicyText, ...]


def check_policies(
    policies: Iterable[PolicyText],
    approved_schemas: ApprovedSchemas = NO_APPROVED_SCHEMAS,
) -> list[ValidatedPolicy]:
    """Check policies as `validate_policies` does, a large set in several processes.

    A batch that a process does not answer is checked here.

    Args:
        policies: Texts of one policy each, or of a malformed one.
        approved_schemas: Tool schemas that persons have approved.
    """
    shares = _split_batches(iter(policies))
    first = next(shares, ())
    if len(first) < BATCH_SIZE:
        return validate_policies(first, approved_schemas)
    with _CheckerPool(approved_schemas) as judges:
        handed = [(each, judges.submit(each)) for each in chain((first,), shares)]
        found = [
            answer.result() or validate_policies(share, approved_schemas)
            for share, answer in handed
        ]
    return list(chain.from_iterable(found))


def _split_batches(policies: Iterator[PolicyText]) -> Iterator[PolicyBatch]:
    """Yield the policies in batches of `BATCH_SIZE`."""
    while share := tuple(islice(policies, BATCH_SIZE)):
        yield share


class _CheckerPool:
    """Processes, started when needed; a thread waits for each."""

    def __init__(self, approved: ApprovedSchemas) -> None:
        self._approved = approved
        most = min(os.cpu_count() or 1, MAX_PROCESSES)
        self._waiting = ThreadPoolExecutor(most, initializer=self._start_process)
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

    def submit(self, batch: PolicyBatch) -> Future[list[ValidatedPolicy]]:
        """Submit a batch to the first free process; its result is empty on failure."""
        return self._waiting.submit(self._check_in_process, batch)

    def _start_process(self) -> None:
        """Start the process that checks policies for this thread."""
        self._own.process, self._own.is_new = None, True
        try:
            # -P: no module is imported from the working directory.
            process = subprocess.Popen(  # noqa: S603 - our own words
                (sys.executable, "-P", "-m", _MODULE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt goes to the service alone
            )
        except OSError:  # no process: shares are judged here
            return
        self._started.append(process)
        self._own.process = process

    def _check_in_process(self, batch: PolicyBatch) -> list[ValidatedPolicy]:
        """Check a batch in this thread's process; return nothing if it fails."""
        process = self._own.process
        if process is None:
            return []
        try:
            if self._own.is_new:
                write_message(process.stdin, self._approved)
                self._own.is_new = False
            write_message(process.stdin, batch)
            found = _results_decoder.decode(read_message(process.stdout))
        except (
            OSError,
            msgspec.DecodeError,
        ):  # it has ended, or its answer is malformed
            self._own.process = None
            return []
        return found if len(found) == len(batch) else []
