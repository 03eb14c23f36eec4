"""What many builds of one process leave open is bounded."""

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: in ours the collected tests are frozen.
CYCLE = """
import os, sys, weakref
from answerable.services.python_gc_pause import pause_garbage_collection


class FileCycle:
    # An object in a cycle that holds a file open.
    def __init__(self):
        self.file = open(sys.argv[1], "rb")
        self.itself = self

    def __del__(self):
        self.file.close()

"""
BOUNDED = """
before = len(os.listdir("/proc/self/fd"))
for _ in range(40):
    with pause_garbage_collection():
        FileCycle()
assert len(os.listdir("/proc/self/fd")) < before + 12
"""
SERVER = """
import gc, threading
from answerable.services.python_gc_pause import (
    collect_replaced_results, keep_requests_running)
keep_requests_running()
usual, full = gc.get_threshold(), []
gc.callbacks.append(lambda phase, told: full.append(told["generation"] == 2))
for _ in range(20):
    with pause_garbage_collection():
        first = weakref.ref(FileCycle())
        with pause_garbage_collection():  # of another thread
            kept = [[] for _ in range(50_000)]
        kept += [[] for _ in range(50_000)]
    assert first() is None  # a cycle of a request is collected meanwhile
assert not any(full)
assert gc.get_threshold() == usual
with pause_garbage_collection():
    old = weakref.ref(kept_cycle := FileCycle())
del kept_cycle
assert old() is not None  # frozen with the results of the build
collect_replaced_results()
assert old() is None
assert any(full)
"""


@pytest.mark.parametrize(
    "story", [BOUNDED, SERVER], ids=["of commands", "of a server, without a stop"]
)
def test_files_of_what_was_replaced_are_closed(tmp_path: Path, story: str) -> None:
    place = tmp_path / "kept"
    place.write_bytes(b"x")
    ran = subprocess.run(
        [sys.executable, "-c", CYCLE + story, str(place)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
