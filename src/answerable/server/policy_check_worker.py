"""Check policies in a worker process of the policy check pool.

    python -P -m answerable.server.policy_check_worker

reads the approved schemas and then batches of policies as MessagePack, each with a
length prefix, and writes the result of each batch in the same way. It imports little:
its pool waits for the start.
"""

import gc
import sys
from typing import BinaryIO

import msgspec

from answerable.authorization.cedar.json_cache import PolicyJsonCache
from answerable.authorization.cedar.lexer import PolicyText
from answerable.authorization.cedar.validation import (
    policies_to_json,
    validate_policies,
)

LENGTH_BYTES = 4  # bytes of a length, big-endian


def write_message(stream: BinaryIO, message: object) -> None:
    """Write one MessagePack message with its length, and flush.

    Raises:
        OSError: The reader is gone.
    """
    data = msgspec.msgpack.encode(message)
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    stream.flush()


def read_message(stream: BinaryIO) -> bytes:
    """Read the bytes of one message; empty at the end of the stream."""
    return stream.read(int.from_bytes(stream.read(LENGTH_BYTES), "big"))


def main() -> None:
    """Read batches of policies from standard input, and write their results."""
    gc.disable()  # few cycles, and a short life
    pieces = msgspec.msgpack.Decoder(list[PolicyText])
    forms = PolicyJsonCache(policies_to_json)
    said = read_message(sys.stdin.buffer)
    if not said:
        return
    approved = msgspec.msgpack.decode(said, type=dict[str, str])
    while share := read_message(sys.stdin.buffer):
        write_message(
            sys.stdout.buffer, validate_policies(pieces.decode(share), approved, forms)
        )


if __name__ == "__main__":
    main()
