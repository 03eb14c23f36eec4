"""A large set of policies is judged in processes of its own, one for each core.

    python -P -m answerable.serving.judging

reads the texts as MessagePack, and writes what came of each. Judging 10,000 policies
takes two seconds of a core, for which a service would hold up what else it does, and
several times their size in memory, which it would not get back.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import msgspec

from answerable.enforce.cedar.judging import Judged, judge
from answerable.enforce.cedar.lexis import Piece

_MODULE = "answerable.serving.judging"
SHARE = 500  # policies: fewer are judged about as soon as a process starts
MOST = 8  # processes


def judged_apart(pieces: Sequence[Piece]) -> list[Judged]:
    """Judge policies as `judge` does, a large set by several processes.

    What a process does not answer is judged here.

    Args:
        pieces: Each one policy, or what stands where one should.
    """
    processes = min(os.cpu_count() or 1, MOST, len(pieces) // SHARE)
    if not processes:
        return judge(pieces)
    ends = [number * len(pieces) // processes for number in range(processes + 1)]
    parts = [pieces[ends[n] : ends[n + 1]] for n in range(processes)]
    with ThreadPoolExecutor(processes) as waiting:
        answers = waiting.map(_answered, parts)
        found = [
            answer or judge(part) for part, answer in zip(parts, answers, strict=True)
        ]
    return list(chain.from_iterable(found))


def _answered(part: Sequence[Piece]) -> list[Judged]:
    """Have a process judge; nothing where it does not answer."""
    try:
        # -P: a module of that name in the working directory must not be run.
        ended = subprocess.run(  # noqa: S603 - our own words
            (sys.executable, "-P", "-m", _MODULE),
            input=msgspec.msgpack.encode(part),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's interrupt is its service's to hear
            check=False,
        )
        found = msgspec.msgpack.decode(ended.stdout, type=list[Judged])
    except (OSError, msgspec.DecodeError):
        return []
    return found if len(found) == len(part) else []


def main() -> None:
    """Judge what comes in."""
    given = sys.stdin.buffer.read()
    pieces = msgspec.msgpack.decode(given, type=list[Piece])
    sys.stdout.buffer.write(msgspec.msgpack.encode(judge(pieces)))


if __name__ == "__main__":
    main()
