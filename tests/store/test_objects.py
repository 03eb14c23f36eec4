"""Objects are what their names say; records that could not be parsed are kept once."""

import hashlib
import json

import pytest
import zstandard

from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import QuarantinedRecord
from answerable.model.progress import ignore_progress_report
from answerable.store.fsck import VerificationCheck, verify_store
from answerable.store.object_store import (
    CHECKSUM_HEADER,
    LoggedObject,
    decompress_object,
)
from answerable.store.store import EvidenceStore


def verify(store: EvidenceStore) -> list[VerificationCheck]:
    return list(verify_store(store, None, None, ignore_progress_report))


def test_an_object_comes_back_under_its_digest(store: EvidenceStore) -> None:
    digest = store.put_object("sync", b"content", 5)
    assert store.get_object(digest) == b"content"
    assert store.list_objects("sync") == (LoggedObject(digest, 5, 0),)
    assert store.list_objects("snapshot") == ()


def test_the_same_content_twice_is_one_file_and_two_entries(
    store: EvidenceStore,
) -> None:
    digest = store.put_object("sync", b"content", 5)
    store.put_object("snapshot", b"other", 6)
    assert store.put_object("sync", b"content", 7) == digest
    assert [o.at for o in store.list_objects("sync")] == [5, 7]
    assert len(list(store.layout.objects.iterdir())) == 2


def test_many_objects_come_back_in_the_order_of_the_log(store: EvidenceStore) -> None:
    digests = [store.put_object("sync", b"%d" % n, n) for n in range(300)]
    with EvidenceStore.open(store.root, now=0) as other:
        assert [o.digest for o in other.list_objects("sync")] == digests
    # Partial tiles that wider ones hold are gone.
    assert len(list(store.layout.log.rglob("*.p/*"))) == 3


@pytest.mark.parametrize("digest", ["", "../keys/log.key", "A" * 64, "0" * 63])
def test_what_is_no_digest_is_refused(store: EvidenceStore, digest: str) -> None:
    with pytest.raises(UsageError, match="not an object digest"):
        store.get_object(digest)


def test_an_unknown_object_is_refused(store: EvidenceStore) -> None:
    with pytest.raises(UsageError, match="no such object"):
        store.get_object("0" * 64)


def test_a_changed_object_is_not_given(store: EvidenceStore) -> None:
    digest = store.put_object("sync", b"content", 5)
    other = store.put_object("sync", b"contenu", 5)
    one = store.layout.objects / digest
    one.write_bytes((store.layout.objects / other).read_bytes())
    with pytest.raises(VerificationError, match=digest):
        store.get_object(digest)


def record(raw: bytes) -> QuarantinedRecord:
    return QuarantinedRecord("trail.json", 7, "no eventTime", raw)


def test_a_record_is_kept_aside_once(store: EvidenceStore) -> None:
    assert store.quarantine([record(b"a"), record(b"b"), record(b"a")], 1) == 2
    assert store.quarantine([record(b"a")], 2) == 0
    with EvidenceStore.open(store.root, now=0) as other:
        assert other.quarantine([record(b"b"), record(b"c")], 3) == 1
    assert len(list(store.layout.quarantine.iterdir())) == 2


def test_nothing_to_keep_writes_nothing(store: EvidenceStore) -> None:
    assert store.quarantine([], 1) == 0
    assert store.log.checkpoint() == b""


def test_a_fingerprint_is_keyed_and_stays(store: EvidenceStore) -> None:
    mark = store.fingerprint("secret")
    assert len(mark) == 24
    assert store.fingerprint("secret") == mark
    assert store.fingerprint("secret2") != mark
    with EvidenceStore.open(store.root, now=0) as other:
        assert other.fingerprint("secret") == mark
    with EvidenceStore.open(store.root.with_name("another"), now=0) as another:
        assert another.fingerprint("secret") != mark


def test_a_file_whose_name_is_not_utf8_does_not_lose_its_record(
    store: EvidenceStore,
) -> None:
    odd = QuarantinedRecord("trail/\udcff.json", 7, "no eventTime", b"a")
    assert store.quarantine([odd], 1) == 1
    with EvidenceStore.open(store.root, now=0) as other:
        assert other.quarantine([odd], 2) == 0


@pytest.mark.parametrize("parts", [False, True])
def test_a_changed_bit_that_leaves_the_content_as_it_was_is_named(
    store: EvidenceStore, *, parts: bool
) -> None:
    content = json.dumps([{"id": f"role-{n * n % 977}"} for n in range(300)]).encode()
    digest = store.put_object("sync", iter([content]) if parts else content, 5)
    file = store.layout.objects / digest
    whole = file.read_bytes()
    for place in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(VerificationError, match="is damaged"):
            decompress_object(bytes(changed), digest, digest)
    file.write_bytes(whole[:4] + bytes([whole[4] ^ 16]) + whole[5:])  # an unused bit
    (failed,) = [each for each in verify(store) if not each.ok]
    assert f"objects/{digest} is damaged" in failed.detail


@pytest.mark.parametrize("checksum", [False, True])
def test_an_object_of_an_earlier_build_has_no_header(
    store: EvidenceStore, *, checksum: bool
) -> None:
    digest = store.put_object("sync", b"content", 5)
    packed = zstandard.ZstdCompressor(level=3).compress(b"content")
    if checksum:
        packed += CHECKSUM_HEADER + hashlib.sha256(packed).digest()
    (store.layout.objects / digest).write_bytes(packed)
    assert store.get_object(digest) == b"content"
    assert all(each.ok for each in verify(store))
