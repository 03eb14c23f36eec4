"""Each file of a store, cut at its end by any number of bytes, is named by `verify`."""

import json
import shutil
from pathlib import Path

import pytest

from answerable.model.event import QuarantinedRecord
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.difference_encoder import EarlierObject
from answerable.store.object_difference import read_base_digest
from answerable.store.object_store import CHECKSUM_BYTES, HEADER, unwrap_object_file
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW, _make, wrong

# Bytes that a store needs no longer, or that `verify` does not read.
NOT_EVIDENCE = ("derived", "lock")
OBJECT_FOLDERS = ("objects", "quarantine")


def make_content(at: int) -> bytes:
    """Encode a scan that is large enough to be stored as a difference."""
    rows = [{"id": f"role-{n * n % 977}", "n": n} for n in range(3_000)]
    return json.dumps({"at": at, "facts": rows}, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a file of each kind: also a full tile, and a compacted segment."""
    place = tmp_path_factory.mktemp("filled") / "store"
    for batch in range(2):
        with EvidenceStore.open(place, now=NOW) as store:
            store.append([_make(batch * 9 + number) for number in range(9)], NOW)
            store.seal(NOW)
    with EvidenceStore.open(place, now=NOW) as store:
        (group,) = plan_compaction(store)
        assert compact_segments(store, group, NOW)
        store.append([_make(number) for number in range(30, 39)], NOW)
        store.seal(NOW)
        for number in range(260):
            store.put_object("sync", b'{"a":1}', NOW + number)
        first = store.put_object("sync", make_content(1_700), NOW)
        base, content = store.read_whole_base(first)
        earlier = EarlierObject(base, content, "1700", "1800")
        second = store.put_object("sync", make_content(1_800), NOW, earlier)
        assert read_base_digest((store.layout.objects / second).read_bytes()) == first
        store.quarantine([QuarantinedRecord("a.json", 0, "no time", b"raw")], NOW)
        store.append([_make(number) for number in range(40, 49)], NOW)
    return place


def list_kinds(place: Path) -> dict[str, Path]:
    """List a file of each kind, by its folder and ending."""
    found: dict[str, Path] = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place)
        if not path.is_file() or set(NOT_EVIDENCE) & {*name.parts, path.name}:
            continue
        kind = f"{name.parts[0]}/*{path.suffix}"
        if name.parts[0] in OBJECT_FOLDERS:
            kind = f"{name.parts[0]}/{read_base_digest(path.read_bytes()) != ''}"
        elif name.parts[0] in ("log", "keys"):
            kind = str(name)
        found.setdefault(kind, path)
    return found


def list_cuts(data: bytes) -> set[int]:
    """List how many bytes are cut: few, a checksum, a record, half, all."""
    cuts = {1, 2, 8, 32, CHECKSUM_BYTES, 104, len(data) // 2, len(data)}
    if data.endswith(b"\n"):  # a key and a version are the same without it
        cuts.remove(1)
    return {cut for cut in cuts if 0 < cut <= len(data)}


def test_a_file_cut_at_its_end_is_named(filled: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(filled, tmp_path / "store"))
    unseen = []
    for kind, path in list_kinds(copied).items():
        data, name = path.read_bytes(), path.name.split(".")[0]
        for cut in list_cuts(data):
            path.write_bytes(data[:-cut])
            found = wrong(copied)
            if not any(name in detail for detail in found):
                unseen.append(f"{kind}: {cut} of {len(data)}: {found}")
        path.write_bytes(data)
    assert unseen == []
    assert wrong(copied) == []


def test_an_object_cut_by_any_number_of_bytes_is_damaged(filled: Path) -> None:
    kinds = list_kinds(filled)
    for kind in ("objects/True", "objects/False", "quarantine/False"):
        path = kinds[kind]
        data = path.read_bytes()
        for cut in range(1, len(data) - len(HEADER) + 1, 1 + len(data) // 200):
            with pytest.raises(ValueError, match="checksum of the object"):
                unwrap_object_file(data[:-cut])
