"""A journal that was cut at an older group is noticed, whichever head is put beside it."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.evidence import journal_format as frames
from answerable.evidence.merkle import leaf_hash
from answerable.evidence.signed_note import derive_verifier_key, sign_bytes
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import verify_and_prove as flow

Make = Callable[..., AuditEvent]
GROUPS = (1, 4, 2, 7, 1, 3)
HEAD = 4 + frames.HEAD_SIZE


class Written:
    """A store with one unsealed journal, and what was seen of it after each group."""

    def __init__(self, place: Path, make: Make, now: int) -> None:
        self.place = place
        self.sizes: list[int] = []
        self.heads: list[bytes] = []
        self.exported: list[bytes] = []
        count = 0
        with EvidenceStore.open(place, now=now) as store:
            for size in GROUPS:
                store.append([make(count + n) for n in range(size)], now)
                count += size
                (self.log,) = store.layout.journal.glob("*.log")
                self.head = self.log.with_suffix(".head")
                self.sizes.append(self.log.stat().st_size)
                self.heads.append(self.head.read_bytes())
                note = flow.show_checkpoint(store).items[0]["note"]
                self.exported.append(str(note).encode())
        self.data = self.log.read_bytes()

    def cut(self, group: int, head: bytes | None) -> None:
        """Leave the first groups alone, and put a head beside them."""
        self.log.write_bytes(self.data[: self.sizes[group]])
        self.head.write_bytes(self.heads[-1] if head is None else head)

    def within(self, group: int) -> bytes:
        """Give the head in the journal, after a group."""
        return self.data[self.sizes[group] - frames.HEAD_SIZE : self.sizes[group]]

    def wrong(self, exported: bytes | None = None) -> list[str]:
        with EvidenceStore.open(self.place, now=0, create=False) as store:
            checks = fsck.verify_store(store, exported, None, ignore_progress_report)
        return [check.detail for check in checks if not check.ok]


@pytest.fixture
def written(place: Path, make: Make, now: int) -> Written:
    return Written(place, make, now)


def test_every_cut_at_every_group_shows_without_an_exported_checkpoint(
    written: Written, now: int
) -> None:
    tried = 0
    for group in range(len(GROUPS) - 1):
        for head in (None, *(written.within(each) for each in range(len(GROUPS)))):
            written.cut(group, head)
            (detail,) = written.wrong()
            assert detail.startswith(f"journal/{written.log.name}: "), (group, detail)
            with (
                EvidenceStore.open(written.place, now=now) as store,
                pytest.raises(VerificationError, match="journal/"),
            ):
                store.seal(now)
            tried += 1
    print(f"{tried} cuts tried")
    written.cut(len(GROUPS) - 1, None)
    assert written.wrong() == []


def test_every_cut_with_the_head_file_of_that_time_shows_by_an_exported_checkpoint(
    written: Written,
) -> None:
    tried = 0
    for group in range(len(GROUPS)):
        written.cut(group, written.heads[group])
        assert written.wrong() == []  # as it was once: docs/evidence.md says so
        for later, note in enumerate(written.exported):
            found = written.wrong(note)
            if later <= group:
                assert found == [], (group, later)
            else:
                (detail,) = found
                counts = f"{sum(GROUPS[: later + 1])} records, it contains "
                assert f"journal/{written.log.name} was truncated" in detail
                assert counts + str(sum(GROUPS[: group + 1])) in detail
            tried += 1
    print(f"{tried} cuts tried against exported checkpoints")


def test_a_cut_journal_that_was_sealed_shows_by_an_exported_checkpoint(
    written: Written, now: int
) -> None:
    for group in range(len(GROUPS)):
        kept = written.place.with_name(f"kept-{group}")
        shutil.copytree(written.place, kept)
        written.cut(group, written.heads[group])
        with EvidenceStore.open(written.place, now=now) as store:
            store.seal(now)
        for later, note in enumerate(written.exported):
            found = written.wrong(note)
            assert bool(found) == (later > group), (group, later, found)
            assert not found or "was truncated" in found[0]
        shutil.rmtree(written.place)
        kept.rename(written.place)


def test_a_journal_that_grew_or_was_sealed_holds_by_each_exported_checkpoint(
    written: Written, now: int
) -> None:
    for _ in ("unsealed", "sealed"):
        assert [written.wrong(note) for note in written.exported] == [[]] * len(GROUPS)
        with EvidenceStore.open(written.place, now=now) as store:
            store.seal(now)


def test_a_journal_rewritten_with_the_signing_key_shows_by_an_exported_checkpoint(
    written: Written, make: Make, now: int
) -> None:
    """Whoever has the key can sign other records, and as many of them."""
    seed = bytes.fromhex((written.place / "keys/log.key").read_text())
    name = written.log.stem
    head = frames.build_journal_header(name)
    journal = frames.read_journal(written.data, name, lambda signature, data: True)
    records = [r.replace(b"s3:GetObject", b"s3:PutObject") for r in journal.records]
    leaves = map(leaf_hash, records)
    data, chain = frames.frame_records(records, leaves, frames.initial_chain_hash(head))
    count = len(records)
    signature = sign_bytes(seed, frames.head_signing_input(head, count, chain, data))
    body = frames.encode_head(count, chain, signature)
    newest = sign_bytes(seed, frames.newest_head_signing_input(head, count, chain))
    written.log.write_bytes(head + data + frames.frame_head(body))
    written.head.write_bytes(frames.encode_head(count, chain, newest))
    assert derive_verifier_key("name", seed)
    assert written.wrong() == []
    (detail,) = written.wrong(written.exported[2])
    assert detail.startswith(f"journal/{written.log.name} was rewritten")


@pytest.fixture(params=[1, 2])
def older(
    request: pytest.FixtureRequest, place: Path, make: Make, now: int
) -> tuple[Path, bytes]:
    """A store with a journal of an older format, and the header of that."""
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number) for number in range(3)], now)
        (path,) = place.glob("journal/*.log")
        journal = frames.read_journal(
            path.read_bytes(), path.stem, lambda signature, data: True
        )
        header = b"answerable journal %d\n%s\n" % (request.param, path.stem.encode())
        data, chain = header, hashlib.sha256(header).digest()
        for record in journal.records:
            chain = hashlib.sha256(chain + leaf_hash(record)).digest()
            data += len(record).to_bytes(4, "big") + record + chain
        counted = (3).to_bytes(8, "big") + chain
        label = b"answerable journal head %d\n" % request.param
        newest = label if request.param == 1 else b"answerable journal newest 2\n"
        head, last = (
            counted + store.keys.sign(each + header + counted)
            for each in (label, newest)
        )
    path.write_bytes(data + b"\x80\x00\x00\x68" + head)
    path.with_suffix(".head").write_bytes(last)
    return place, header


def test_a_journal_of_an_older_format_is_read_checked_and_sealed(
    older: tuple[Path, bytes], make: Make, now: int
) -> None:
    place, header = older
    (path,) = place.glob("journal/*.log")
    assert path.read_bytes().startswith(header)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"s3:GetObject", b"s3:PutObject", 1))
    with EvidenceStore.open(place, now=now) as store:
        assert verify(store) == [f"journal/{path.name}: record 0 is invalid"]
    path.write_bytes(data)
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(3)], now)
        assert store.run_query("SELECT count(*) FROM events") == [(4,)]
        assert verify(store) == []
        store.seal(now)
        assert store.run_query("SELECT count(*) FROM events") == [(4,)]
        assert verify(store) == []


def verify(store: EvidenceStore) -> list[str]:
    checks = fsck.verify_store(store, None, None, ignore_progress_report)
    return [check.detail for check in checks if not check.ok]
