from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.errors import VerificationError
from answerable.store import block_file
from answerable.store.block_file import BlockFile, BlockFileError, encode_block_file

KEY = b"k" * 32
TEXTS = st.text(max_size=12)


def encoded(generation: str, sections: dict[str, Any], key: bytes) -> bytes:
    return b"".join(encode_block_file(generation, sections, key))


def opened(folder: Path, data: bytes, generation: str = "g") -> BlockFile:
    path = folder / "rows.blocks"
    path.write_bytes(data)
    return BlockFile(path, generation, KEY)


@given(st.dictionaries(TEXTS, st.binary(max_size=9_000), max_size=40), TEXTS)
@settings(max_examples=50)
def test_a_section_reads_as_the_mapping_it_was_made_of(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, bytes], absent: str
) -> None:
    data = encoded("g", {"one": sorted(rows.items()), "none": []}, KEY)
    file = opened(tmp_path_factory.mktemp("blocks"), data)
    section = file.section("one", bytes)
    assert dict(section) == rows
    assert dict(section.iter_rows()) == rows
    assert list(section) == sorted(rows)
    assert len(section) == len(rows)
    assert (absent in section) == (absent in rows)
    assert section.get(absent) == rows.get(absent)
    assert dict(file.section("none", bytes)) == dict(file.section("other", bytes)) == {}


def test_keys_that_do_not_ascend_are_refused() -> None:
    for keys in (("b", "a"), ("a", "a")):
        with pytest.raises(ValueError, match="ascend"):
            encoded("g", {"one": [(key, 1) for key in keys]}, KEY)


def test_every_changed_or_cut_byte_is_noticed(tmp_path: Path) -> None:
    rows = [(f"{number:04}", number * "x") for number in range(400)]
    data = encoded("g", {"one": rows}, KEY)
    for at in range(0, len(data), 1 + len(data) // 60):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises((BlockFileError, VerificationError)):
            dict(opened(tmp_path, bytes(changed)).section("one", str))
        with pytest.raises((BlockFileError, VerificationError)):
            dict(opened(tmp_path, data[:at]).section("one", str))


def test_another_generation_and_another_key_are_missing(tmp_path: Path) -> None:
    data = encoded("g", {"one": [("a", 1)]}, KEY)
    with pytest.raises(BlockFileError, match="generation"):
        opened(tmp_path, data, generation="h")
    with pytest.raises(BlockFileError, match="changed"):
        opened(tmp_path, encoded("g", {"one": [("a", 1)]}, b"other"))
    with pytest.raises(BlockFileError, match="missing"):
        BlockFile(tmp_path / "absent", "g", KEY)


def test_threads_change_the_cached_blocks_of_a_section_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_file, "_BLOCK_BYTES", 1)  # a block for each row
    monkeypatch.setattr(block_file, "_MAX_CACHED_BLOCKS", 2)
    rows = [(f"{number:04}", number) for number in range(9)]
    data = encoded("g", {"one": rows}, KEY)
    section = opened(tmp_path, data).section("one", int)
    changes = []

    class WatchedCache(dict[int, Any]):
        """Cache that notes whether the lock is held at each change."""

        def __setitem__(self, at: int, block: Any) -> None:
            changes.append(section._eviction.locked())
            super().__setitem__(at, block)

        def __delitem__(self, at: int) -> None:
            changes.append(section._eviction.locked())
            super().__delitem__(at)

    section._read = WatchedCache()
    assert [section[key] for key, _ in rows] == [number for _, number in rows]
    assert len(section._read) == 2
    assert changes == [True] * (9 + 7)


def test_the_rows_of_a_large_section_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"{number:04}", number) for number in range(9)]
    data = encoded("g", {"one": rows}, KEY)
    for most, kept in ((9, 9), (8, 0)):
        monkeypatch.setattr(block_file, "_MOST_KEPT_ROWS", most)
        section = opened(tmp_path, data).section("one", int)
        assert list(section.items()) == rows
        assert list(section.values()) == [value for _, value in rows]
        assert len(section._found) == kept
        assert ("0003", 3) in section.items()
        assert list(section.iter_rows("0003", "0006")) == rows[3:6]
