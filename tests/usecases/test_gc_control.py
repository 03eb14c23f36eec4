"""What many builds of one process leave open is bounded."""

import os
import weakref
from pathlib import Path

from answerable.services.python_gc_pause import pause_garbage_collection


class FileCycle:
    """An object in a cycle that holds a file open."""

    def __init__(self, place: Path) -> None:
        self.file = place.open("rb")
        self.itself = self

    def __del__(self) -> None:
        self.file.close()


def test_files_of_what_was_replaced_are_closed(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        with pause_garbage_collection():
            FileCycle(place)
    assert len(os.listdir("/proc/self/fd")) < before + 12


def test_what_a_server_replaces_is_collected_at_once(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.write_bytes(b"x")
    with pause_garbage_collection():
        first = weakref.ref(FileCycle(place))
    with pause_garbage_collection(collect_previous=True):
        assert first() is None
