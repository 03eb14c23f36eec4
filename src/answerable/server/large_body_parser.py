"""Parse large request bodies off the event loop, in a process of its own.

The JSON decoder and the nesting check hold the interpreter lock, so a body of 4 MB
would hold the loop for some 20 ms, also from a thread. Calls of other callers go on
while the process parses. Where it fails, the body is parsed here instead: slower for
others, with the same result.
"""

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import msgspec

from answerable.server.child_environment import build_clean_environment
from answerable.server.large_body_worker import (
    LENGTH_BYTES,
    ParseResult,
    build_call,
)
from answerable.server.mcp.call import McpCall, parse_http_call
from answerable.server.wire.request_head import HttpRequestHead

MIN_SIZE = 256 * 1024  # bytes of a body that is parsed here: about 1.5 ms at most
_MODULE = "answerable.server.large_body_worker"
_MAX_SECONDS = 10.0  # seconds for the start of the process and one body
_RETRY_DELAY = 10.0  # seconds from a failure to the next start
# Fields that parsing does not read, and a second process does not need.
_CREDENTIAL_FIELDS = frozenset({"authorization", "cookie", "dpop"})

# uvloop raises a RuntimeError for a write to a pipe whose process has ended.
_PROCESS_FAILURES = OSError, EOFError, RuntimeError, TimeoutError, msgspec.DecodeError

_result_decoder: msgspec.msgpack.Decoder[ParseResult] = msgspec.msgpack.Decoder(
    ParseResult
)


class ParsedBody(NamedTuple):
    """Result for one body.

    Attributes:
        read_call: Returns the call; raises `RequestRefused`.
        seconds: Processor time that it took in the other process.
    """

    read_call: Callable[[], McpCall]
    seconds: float


class LargeBodyParser:
    """Parser of large bodies of one server process; its process starts with the first one.

    Args:
        report: Called with the kind of error when the process fails.
    """

    def __init__(self, report: Callable[[str], None] = lambda _: None) -> None:
        self._report = report
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        self._start_at = 0.0

    async def parse(self, head: HttpRequestHead, body: bytes) -> ParsedBody:
        """Parse a large request in a separate process, like `parse_http_call`.

        Args:
            head: Its head, whose place was checked.
            body: Its complete body.
        """
        async with self._lock:
            result = await self._parse_in_process(head, body)
        if result is None:
            return ParsedBody(partial(parse_http_call, head, body), 0.0)
        return ParsedBody(partial(build_call, result, body), result.seconds)

    async def close(self) -> None:
        """End the process that parses large bodies."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _parse_in_process(
        self, head: HttpRequestHead, body: bytes
    ) -> ParseResult | None:
        """Return the result of the process; None where it fails."""
        if self._process is None and time.monotonic() < self._start_at:
            return None
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                return await self._send_and_receive(head, body)
        except _PROCESS_FAILURES as error:
            self._start_at = time.monotonic() + _RETRY_DELAY
            self._report(type(error).__name__)
            await self.close()
            return None
        except BaseException:
            await self.close()  # its next result would be that of this body
            raise

    async def _send_and_receive(
        self, head: HttpRequestHead, body: bytes
    ) -> ParseResult:
        """Send one request to the process, and read its result."""
        if self._process is None:
            self._process = await _start_process()
        process = self._process
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        for data in (_encode_head(head), body):
            process.stdin.write(len(data).to_bytes(LENGTH_BYTES, "big"))
            process.stdin.write(data)
        length = await process.stdout.readexactly(LENGTH_BYTES)
        size = int.from_bytes(length, "big")
        return _result_decoder.decode(await process.stdout.readexactly(size))


async def _start_process() -> Process:
    """Start the process; the end of our pipe ends it.

    It stays in the session of the worker: Linux divides a processor between sessions
    first (sched(7), autogroup), and one of its own would starve on a busy machine.
    """
    # -P: no module is imported from the working directory.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        _MODULE,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=build_clean_environment(),
    )


def _encode_head(head: HttpRequestHead) -> bytes:
    """Encode a head without the caller's credentials."""
    fields = {
        name: value
        for name, value in head.fields.items()
        if name not in _CREDENTIAL_FIELDS
    }
    return msgspec.msgpack.encode(msgspec.structs.replace(head, fields=fields))
