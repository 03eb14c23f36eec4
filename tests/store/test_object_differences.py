"""An object that differs little from an earlier one is stored as the difference."""

import hashlib
import json
import random
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.errors import VerificationError
from answerable.model.progress import ignore_progress_report
from answerable.model.sighting import (
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)
from answerable.services.inventory.snapshots import read_stored_object, store_snapshot
from answerable.services.inventory.stored_sync import encode_sync, store_sync
from answerable.store import difference_encoder, object_difference
from answerable.store.difference_encoder import DifferenceEncoder, EarlierObject
from answerable.store.fsck import verify_store
from answerable.store.object_difference import apply_difference, read_base_digest
from answerable.store.object_store import (
    CHECKSUM_BYTES,
    DIFFERENCE_HEADER,
    HEADER,
    is_difference_file,
    unwrap_object_file,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.erase_person import erase_person
from tests.inventory.fact_builders import NOW, human, identity

ADA = "ada.lovelace@example.com"
PIECES = st.lists(
    st.sampled_from(
        [b"a", b"b", b"cc", b"at 17", b"", b'"x":{}', b'"place":"f/', b'"place":"f/0"']
        + [b'"place":"f/%d","a":"/1"' % number for number in range(1, 20)]
    )
)


def make_content(at: int, changed: int = 0, person: str = "") -> bytes:
    """Encode a scan of 3,000 entities; a few of them are others each time."""
    chance = random.Random(1)  # noqa: S311 - no secret
    rows = [
        {"id": f"{chance.getrandbits(128):032x}", "seen": {"at": at}, "n": number}
        for number in range(3_000)
    ]
    for number in range(changed):
        rows[number * 7]["id"] = f"changed-{number}"
    if person:
        rows[1]["id"] = person
    text = json.dumps({"started_at": at, "facts": rows}, separators=(",", ":"))
    return text.encode()


def cut(content: bytes) -> list[bytes]:
    """Cut a content into parts, also within what separates its pieces."""
    return [content[at : at + 5] for at in range(0, len(content), 5)]


def encode(content: bytes, earlier: EarlierObject) -> bytes | None:
    encoder = DifferenceEncoder(earlier)
    for part in cut(content):
        encoder.add(part)
    return encoder.encode()


def put(store: EvidenceStore, data: bytes, at: int, before: str, old: int) -> str:
    base, content = store.read_whole_base(before)
    return store.put_object(
        "sync", data, at, EarlierObject(base, content, str(old), str(at))
    )


def size(store: EvidenceStore, digest: str) -> int:
    return (store.layout.objects / digest).stat().st_size


def check(store: EvidenceStore) -> None:
    found = verify_store(store, None, None, ignore_progress_report)
    assert [each for each in found if not each.ok] == []


@given(PIECES, PIECES)
def test_a_difference_gives_the_content_again(
    before: list[bytes], after: list[bytes]
) -> None:
    old, new = b"},{".join(before), b"},{".join(after)
    earlier = EarlierObject("0" * 64, cut(old), "17", "18")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference_encoder, "_MIN_BYTES", 0)
        patch.setattr(difference_encoder, "_MIN_SAVING", 0)
        packed = encode(new, earlier)
    assert packed is not None
    assert read_base_digest(packed) == "0" * 64
    assert b"".join(apply_difference(packed, cut(old))) == new
    for kept in (len(DIFFERENCE_HEADER), len(packed) // 2, len(packed) - 1):
        with pytest.raises(ValueError, match="the checksum"):
            list(apply_difference(packed[:kept], cut(old)))
        earlier_build = unwrap_object_file(packed)[: kept - len(HEADER)]
        if is_difference_file(earlier_build):
            with pytest.raises(ValueError, match="the difference"):
                list(apply_difference(earlier_build[:-CHECKSUM_BYTES], cut(old)))


def test_a_later_scan_needs_a_small_part_of_the_first(store: EvidenceStore) -> None:
    first = store.put_object("sync", make_content(1_700), 1)
    second = put(store, make_content(1_800, 5), 1_800, first, 1_700)
    # A third differs from the first, not from the second.
    third = put(store, make_content(1_900, 9), 1_900, second, 1_700)
    for digest, at, changed in ((second, 1_800, 5), (third, 1_900, 9)):
        assert size(store, digest) * 20 < size(store, first)
        assert store.get_object(digest) == make_content(at, changed)
        packed = (store.layout.objects / digest).read_bytes()
        assert read_base_digest(packed) == first
    check(store)
    # Where most is new, the object is whole again.
    fourth = put(store, make_content(2_000)[::-1], 2_000, third, 1_700)
    assert not read_base_digest((store.layout.objects / fourth).read_bytes())
    check(store)


def test_a_damaged_earlier_object_is_named(store: EvidenceStore) -> None:
    first = store.put_object("sync", make_content(1_700), 1)
    second = put(store, make_content(1_800, 5), 1_800, first, 1_700)
    whole = (store.layout.objects / first).read_bytes()
    (store.layout.objects / first).write_bytes(whole[:-1])
    with pytest.raises(VerificationError, match=f"{second} differs .*{first}"):
        store.get_object(second)
    # No object differs from one that differs itself: no loop.
    (store.layout.objects / first).write_bytes(
        (store.layout.objects / second).read_bytes()
    )
    with pytest.raises(VerificationError, match=f"{second} is damaged"):
        store.get_object(second)
    (store.layout.objects / first).unlink()
    with pytest.raises(VerificationError, match=f"no such object: {first}"):
        store.get_object(second)


def test_an_erased_earlier_object_leaves_the_later_ones_whole(
    store: EvidenceStore,
) -> None:
    first = store.put_object("baseline-test", make_content(1_700, person=ADA), 1)
    second = put(store, make_content(1_800, 5), 1_800, first, 1_700)
    third = put(store, make_content(1_900, 9, person=ADA), 1_900, first, 1_700)
    answer = erase_person(store, [ADA], "asked", now=4)
    assert not answer.failed, answer.items
    assert store.get_object(second) == make_content(1_800, 5)
    assert not read_base_digest((store.layout.objects / second).read_bytes())
    assert not (store.layout.objects / first).exists()
    assert not (store.layout.objects / third).exists()
    check(store)


def test_a_scan_that_found_the_same_is_stored_as_a_difference(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(difference_encoder, "_MIN_BYTES", 0)
    digests = []
    for at in (1_700, 1_800, 1_900):
        sync = Sync("aws:", "aws", at, SightedFacts())
        stored = store_sync(store, sync, at)
        store_snapshot(store, [stored], at)
        digests.append(stored.digest)
        assert read_stored_object(store, stored.digest, Sync) == sync
    bases = [
        read_base_digest((store.layout.objects / each).read_bytes()) for each in digests
    ]
    assert bases == ["", digests[0], digests[0]]
    check(store)


def test_the_documented_form_is_enough_to_read_a_difference(
    store: EvidenceStore, tmp_path: Path
) -> None:
    """As docs/evidence.md describes it, without code of the product."""
    first = store.put_object("sync", make_content(1_700), 1)
    second = put(store, make_content(1_800, 5), 1_800, first, 1_700)
    header = bytes.fromhex("502a4d1800000000")
    file = (store.layout.objects / second).read_bytes().removeprefix(header)
    head, _, frame = file.partition(b"\n")
    assert head == b"answerable object difference 2"
    content = zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    line, _, rest = content.partition(b"\n")
    said, own = json.loads(line), iter(rest.split(b"},{"))
    base = (store.layout.objects / said["base"]).read_bytes().removeprefix(header)
    base = zstandard.ZstdDecompressor().decompressobj().decompress(base)
    pieces = base.replace(said["old"].encode(), said["new"].encode()).split(b"},{")
    parts: list[bytes] = []
    for start, count, shift in said["parts"]:
        taken = pieces[start : start + count]
        if shift:
            number = re.compile(rb'(?<="place":")([^"]*/)(0|[1-9][0-9]{0,14})(?=")')
            found = [number.search(piece) for piece in taken]
            taken = [
                piece
                if at is None
                else b"%b%d%b"
                % (piece[: at.start(2)], int(at[2]) + shift, piece[at.end(2) :])
                for piece, at in zip(taken, found, strict=True)
            ]
        parts += [next(own) for _ in range(count)] if start < 0 else taken
    assert hashlib.sha256(b"},{".join(parts)).hexdigest() == second


def test_a_sync_is_encoded_in_parts(store: EvidenceStore) -> None:
    persons = tuple(
        human(f"{hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()}@x.example")
        for n in range(8_000)
    )
    for at in (NOW, NOW + 1):  # the second one is stored as a difference
        seen = replace(persons[0].seen, at=at)
        changed = tuple(replace(each, seen=seen) for each in persons)
        sync = Sync("aws:a", "aws", at, SightedFacts(persons=changed))
        whole = len(msgspec.json.encode(sync))
        tracemalloc.start()
        stored = store_sync(store, sync, at)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert store.get_object(stored.digest) == msgspec.json.encode(sync)
        assert peak < (whole if at == NOW else 2 * whole)
        store_snapshot(store, [stored], at)
    assert size(store, stored.digest) * 100 < whole


def test_parts_of_a_sync_join_to_its_json() -> None:
    facts = SightedFacts(
        persons=tuple(human(f"p{n}@x.example") for n in range(401)),
        identities=(identity("role/a"),),
    )
    problems = (ReadProblem(ReadProblemKind.INVALID, 'a","facts":', "why"),)
    for sync in (
        Sync('x","facts":', "aws", 7),
        Sync("aws:a", "aws", 7, facts, problems=problems, held=()),
    ):
        assert b"".join(encode_sync(sync)) == msgspec.json.encode(sync)


def make_rows(count: int, changed: float, at: int) -> bytes:
    """Encode entities of two lists, of which some changed, came or went."""
    chance = random.Random(at)  # noqa: S311 - no secret
    rows: list[dict[str, str]] = []
    for number in range(count):
        text = f"{number * 7919 % count:06}" if number % 5 else "the same"
        if chance.random() < changed:
            text = f"new {chance.getrandbits(40)}"
        for _ in range(chance.choices((1, 0, 2), (1, changed, changed))[0]):
            rows.append({"id": text, "place": f"file#/List/{len(rows)}"})
    return json.dumps({"at": at, "a": rows}, separators=(",", ":")).encode()


@pytest.mark.parametrize("changed", [0.0, 0.01, 0.2])
def test_a_content_larger_than_the_window_is_a_small_difference(
    monkeypatch: pytest.MonkeyPatch, changed: float
) -> None:
    monkeypatch.setattr(difference_encoder, "_WINDOW_PIECES", 200)
    monkeypatch.setattr(difference_encoder, "_READ_PIECES", 10)
    monkeypatch.setattr(difference_encoder, "MAX_BYTES_BEHIND", 30_000)
    monkeypatch.setattr(object_difference, "_KEPT_BYTES", 66_000)
    first, second = 1_234_567, 7_654_321
    old, new = make_rows(20_000, 0, first), make_rows(20_000, changed, second)
    packed = encode(new, EarlierObject("0" * 64, cut(old), str(first), str(second)))
    assert packed is not None
    assert b"".join(apply_difference(packed, cut(old))) == new
    assert len(packed) < 400 + 1.5 * len(new) * changed


def test_a_difference_of_version_1_is_read() -> None:
    parts = {"base": "0" * 64, "old": "17", "new": "18", "parts": [[1, 2], [-1, 1]]}
    content = json.dumps(parts).encode() + b"\nlast"
    packed = b"answerable object difference 1\n" + zstandard.compress(content)
    old = b"a},{at 17},{b"
    assert b"".join(apply_difference(packed, [old])) == b"at 18},{b},{last"
    for other in (b"2", b"3"):
        with pytest.raises(ValueError, match="unknown version"):
            list(apply_difference(packed.replace(b" 1\n", b" " + other + b"\n"), [old]))
