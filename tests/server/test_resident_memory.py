"""Large blocks of a server process: their memory goes back when they are freed."""

import subprocess
import sys
from pathlib import Path

import pytest

_FREE_LARGE_BLOCKS = """
import random, sys
from answerable.server.resident_memory import give_large_blocks_own_mappings, resident_bytes
if sys.argv[1] == "mapped":
    give_large_blocks_own_mappings()
draw, bodies, kept = random.Random(1), [], []
for _ in range(300):
    bodies.append(bytearray(draw.randrange(2_000_000, 3_900_000)))
    kept.append(bytes(draw.randrange(600, 4_000)))
    if len(bodies) > 4:
        del bodies[draw.randrange(5)]
bodies.clear()
print(resident_bytes())
"""


def resident_after(way: str) -> int:
    """Return the resident bytes of a process that has freed large bodies."""
    argv = [sys.executable, "-c", _FREE_LARGE_BLOCKS, way]
    done = subprocess.run(argv, capture_output=True, check=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="needs /proc, and glibc's mallopt"
)
def test_freed_bodies_between_small_objects_leave_no_memory_behind() -> None:
    assert resident_after("mapped") < resident_after("as it is") - 10_000_000
