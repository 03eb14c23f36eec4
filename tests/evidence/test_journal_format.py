"""A journal shows every change, and says where the acknowledged part ends."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from answerable.evidence import journal_format
from answerable.evidence.merkle import leaf_hash
from tests.evidence.journal_changes import change_records

NAME = "0123456789abcdef"
GROUPS = st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=4), max_size=4)


def sign(data: bytes) -> bytes:
    return hmac.new(b"key", data, hashlib.sha512).digest()


def holds(signature: bytes, data: bytes) -> bool:
    return hmac.compare_digest(signature, sign(data))


def written(groups: list[list[bytes]]) -> bytes:
    first = journal_format.build_journal_header(NAME)
    data, chain, count = first, journal_format.initial_chain_hash(first), 0
    for group in groups:
        frames, chain = journal_format.frame_records(
            group, map(leaf_hash, group), chain
        )
        count += len(group)
        signed = journal_format.head_signing_input(first, count, chain, frames)
        body = journal_format.encode_head(count, chain, sign(signed))
        data += frames + journal_format.frame_head(body)
    return data


@given(GROUPS)
def test_records_come_back_in_order(groups: list[list[bytes]]) -> None:
    found = journal_format.read_journal(written(groups), NAME, holds)
    assert found.records == [record for group in groups for record in group]
    assert found.fault == ""
    assert found.end == len(written(groups))
    if found.head is not None:
        assert (
            journal_format.chain_hash_after(found.header, found.leaves)
            == found.head.chain
        )


@given(GROUPS, st.integers(0, 10_000))
def test_a_cut_journal_gives_its_whole_groups(
    groups: list[list[bytes]], cut: int
) -> None:
    data = written(groups)
    found = journal_format.read_journal(data[: cut % (len(data) + 1)], NAME, holds)
    records = [record for group in groups for record in group]
    assert found.records == records[: len(found.records)]
    bounds = [sum(map(len, groups[:n])) for n in range(len(groups) + 1)]
    assert len(found.records) in bounds


@given(GROUPS, st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_a_fault_or_shortens_what_is_acknowledged(
    groups: list[list[bytes]], place: int, bit: int
) -> None:
    data = bytearray(written(groups))
    data[place % len(data)] ^= 1 << bit
    found = journal_format.read_journal(bytes(data), NAME, holds)
    count = sum(map(len, groups))
    assert found.fault or len(found.records) < count or not groups
    if found.records:
        whole = [record for group in groups for record in group]
        assert found.records == whole[: len(found.records)]


def test_the_journal_of_another_name_does_not_hold() -> None:
    found = journal_format.read_journal(written([[b"a"]]), "fedcba9876543210", holds)
    assert found.fault == "header is invalid"


def test_a_head_signed_by_another_key_does_not_hold() -> None:
    found = journal_format.read_journal(
        written([[b"a"]]), NAME, lambda signature, data: False
    )
    assert found.fault == "head after record 1 is invalid"
    assert found.records == []


def test_the_changed_record_is_named() -> None:
    data = written([[b"aaaa", b"bbbb"], [b"cccc"]])
    changed = change_records(data, lambda text: text.replace(b"bbbb", b"bbxb"))
    found = journal_format.read_journal(changed, NAME, holds)
    assert found.fault == "record 1 is invalid"


def test_swapped_records_do_not_hold() -> None:
    data = written([[b"aaaa", b"bbbb"]])
    changed = change_records(
        data, lambda text: text.translate(bytes.maketrans(b"ab", b"ba"))
    )
    found = journal_format.read_journal(changed, NAME, holds)
    assert found.fault == "record 0 is invalid"


def test_the_same_records_in_other_compressed_bytes_do_not_hold() -> None:
    data = written([[b"%d" % (n * n) for n in range(999)]])
    changed = change_records(data, bytes, level=19)
    assert changed != data
    found = journal_format.read_journal(changed, NAME, holds)
    assert (found.fault, found.records) == ("head after record 999 is invalid", [])


def test_a_large_group_has_several_batches() -> None:
    records = [bytes([n]) * (1 << 20) for n in range(9)]
    data = written([records])
    batches = []
    change_records(data, lambda text: batches.append(len(text)) or text)
    assert len(batches) == 9  # each record fills one
    assert max(batches) <= 4 << 20
    assert journal_format.read_journal(data, NAME, holds).records == records


def test_a_batch_that_claims_much_memory_is_not_decompressed() -> None:
    zeros = ZstdCompressor().compress(bytes(17 << 20))
    first = journal_format.build_journal_header(NAME)
    data = first + len(zeros).to_bytes(4, "big") + zeros
    found = journal_format.read_journal(data, NAME, holds)
    assert found.fault == "the batch from record 0 on is invalid"
