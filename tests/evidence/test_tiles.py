"""Tiles lie where C2SP tlog-tiles puts them, and growing a tree rewrites the fewest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.evidence import log_tiles
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.model.errors import VerificationError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (log_tiles.tile_path(0, 0), "tile/0/000"),
        (log_tiles.tile_path(0, 1234067), "tile/0/x001/x234/067"),
        (log_tiles.tile_path(2, 1000, 7), "tile/2/x001/000.p/7"),
        (log_tiles.entries_path(5, 255), "tile/entries/005.p/255"),
        (log_tiles.entries_path(999), "tile/entries/999"),
    ],
)
def test_paths_are_spelled_as_the_specification_says(path: str, expected: str) -> None:
    assert path == expected


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_entries_come_back_out_of_their_bundle(entries: list[bytes]) -> None:
    assert (
        log_tiles.unpack_entries(log_tiles.pack_entries(entries), len(entries))
        == entries
    )


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5), st.integers(1, 30))
def test_a_bundle_that_is_cut_short_is_refused(entries: list[bytes], cut: int) -> None:
    data = log_tiles.pack_entries(entries)
    with pytest.raises(VerificationError):
        log_tiles.unpack_entries(data[: max(len(data) - cut, 0)], len(entries))


def test_a_bundle_with_more_or_fewer_entries_is_refused() -> None:
    with pytest.raises(VerificationError):
        log_tiles.unpack_entries(log_tiles.pack_entries([b"a", b"b"]), 1)


def test_an_entry_of_more_than_65535_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="65,535"):
        log_tiles.pack_entries([bytes(65_536)])


LEAVES = [leaf_hash(str(number).encode()) for number in range(66_000)]


@settings(max_examples=30)
@given(st.integers(0, 900), st.integers(0, 700))
def test_tiles_written_while_growing_are_those_of_the_whole_tree(
    old: int, more: int
) -> None:
    written = log_tiles.compute_changed_tiles(0, LEAVES[:old])
    written |= log_tiles.compute_changed_tiles(old, LEAVES[: old + more])
    whole = log_tiles.compute_changed_tiles(0, LEAVES[: old + more])
    assert whole.items() <= written.items()


@given(st.integers(1, 900))
def test_nothing_grown_is_nothing_written(size: int) -> None:
    assert log_tiles.compute_changed_tiles(size, LEAVES[:size]) == {}


def test_a_tile_above_holds_the_roots_of_the_tiles_below() -> None:
    written = log_tiles.compute_changed_tiles(0, LEAVES)
    assert written["tile/1/000"][:32] == merkle_root(LEAVES[:256])
    assert written["tile/2/000.p/1"] == merkle_root(LEAVES[: 256 * 256])
    assert written["tile/0/257.p/208"] == b"".join(LEAVES[257 * 256 :])
