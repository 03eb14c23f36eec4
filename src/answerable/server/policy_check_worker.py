"""Worker process of the policy check pool.

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


def write_message(to: BinaryIO, what: object) -> None:
    """Write one message and flush.

    Raises:
        OSError: The reader is gone.
    """
    data = msgspec.msgpack.encode(what)
    to.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    to.flush()


def read_message(source: BinaryIO) -> bytes:
    """Read one message; empty at the end."""
    return source.read(int.from_bytes(source.read(LENGTH_BYTES), "big"))


def main() -> None:
    """Check batches from standard input."""
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
