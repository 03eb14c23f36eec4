"""Parse large request bodies in a process next to a server.

    python -P -m answerable.server.large_body_worker

reads requests from standard input (a length, the head as MessagePack, a length, the
body) and writes the result of each to standard output in the same form. It ends at the
end of its input. It parses by the same function as the server, and decides nothing.
"""

import gc
import os
import signal
import sys
import time
from functools import partial
from typing import BinaryIO

import msgspec

from answerable.server.mcp.call import NO_ARGUMENTS, McpCall, parse_http_call
from answerable.server.resident_memory import give_large_blocks_own_mappings
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead

LENGTH_BYTES = 4  # bytes of a length, big-endian
_NICE = 5  # below the worker, whose other calls come first


class ParsedCall(msgspec.Struct, frozen=True, tag="call"):
    """Parsed call.

    Attributes:
        call: The call without its arguments.
        start: Offset of the arguments in the body.
        length: Bytes of the arguments.
        seconds: Processor time that it took.
    """

    call: McpCall
    start: int
    length: int
    seconds: float


class ParseRefusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Refusal of a body, as `RequestRefused` has it.

    Attributes:
        seconds: Processor time that it took.
    """

    why: RefusalReason
    offset: int
    id: str | int | None
    method: str
    seconds: float


ParseResult = ParsedCall | ParseRefusal


def parse_body(head: HttpRequestHead, body: bytes) -> ParseResult:
    """Parse one request; a refusal is a result."""
    began = time.process_time()
    try:
        call = parse_http_call(head, body)
    except RequestRefused as no:
        seconds = time.process_time() - began
        return ParseRefusal(no.why, no.offset, no.id, no.method, seconds)
    # Of equal pieces in a body, either one has the arguments.
    start = body.find(call.arguments)
    bare = msgspec.structs.replace(call, arguments=NO_ARGUMENTS)
    seconds = time.process_time() - began
    return ParsedCall(bare, start, len(call.arguments), seconds)


def build_call(result: ParseResult, body: bytes) -> McpCall:
    """Build the MCP call from the parser process's result and the body.

    Raises:
        RequestRefused: The body was refused.
    """
    if isinstance(result, ParseRefusal):
        raise RequestRefused(
            result.why, offset=result.offset, id=result.id, method=result.method
        )
    arguments = memoryview(body)[result.start : result.start + result.length]
    return msgspec.structs.replace(result.call, arguments=arguments)


def _read_message(stream: BinaryIO) -> bytes:
    """Read one message with its length; empty at the end of the stream."""
    return stream.read(int.from_bytes(stream.read(LENGTH_BYTES), "big"))


def main() -> None:
    """Parse requests from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the service
    os.nice(_NICE)
    gc.disable()  # a request leaves no cycles
    give_large_blocks_own_mappings()
    decode_head = msgspec.msgpack.Decoder(HttpRequestHead).decode
    read = partial(_read_message, sys.stdin.buffer)
    out = sys.stdout.buffer
    while head := read():
        result = msgspec.msgpack.encode(parse_body(decode_head(head), read()))
        out.write(len(result).to_bytes(LENGTH_BYTES, "big") + result)
        out.flush()


if __name__ == "__main__":
    main()
