"""What a process does that judges policies for another one, until that has no more.

    python -P -m answerable.serving.judging

reads what is approved and then texts, a share at a time, as MessagePack, each behind
its length, and writes what came of a share in the same way. It imports little: it is
started while others wait for it.
"""

import gc
import sys
from typing import BinaryIO

import msgspec

from answerable.enforce.cedar.forms import Forms
from answerable.enforce.cedar.judging import judge, written
from answerable.enforce.cedar.lexis import Piece

LENGTH = 4  # bytes of a length, the first first


def send(to: BinaryIO, what: object) -> None:
    """Write something, and have it leave.

    Raises:
        OSError: Nobody reads it.
    """
    data = msgspec.msgpack.encode(what)
    to.write(len(data).to_bytes(LENGTH, "big") + data)
    to.flush()


def received(source: BinaryIO) -> bytes:
    """Read what was sent; empty at the end."""
    return source.read(int.from_bytes(source.read(LENGTH), "big"))


def main() -> None:
    """Judge what comes in."""
    gc.disable()  # it leaves few cycles, and ends soon
    pieces = msgspec.msgpack.Decoder(list[Piece])
    forms = Forms(written)
    said = received(sys.stdin.buffer)
    if not said:
        return
    approved = msgspec.msgpack.decode(said, type=dict[str, str])
    while share := received(sys.stdin.buffer):
        send(sys.stdout.buffer, judge(pieces.decode(share), approved, forms))


if __name__ == "__main__":
    main()
