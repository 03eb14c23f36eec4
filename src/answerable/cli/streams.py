"""Standard streams that cannot be written to any more."""

import os
from typing import TextIO


def discard(stream: TextIO) -> None:
    """Lead a stream to /dev/null, with what is still in its buffer.

    The interpreter flushes at its end, and would end with a code of its own (120).
    """
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        return
