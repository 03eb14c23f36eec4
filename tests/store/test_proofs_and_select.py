"""Proofs an outsider can check, and one SELECT over everything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from answerable.evidence.merkle import leaf_hash, verify_inclusion
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import verify_and_prove
from answerable.usecases.lineage.run_sql import run_sql_query

Make = Callable[..., AuditEvent]
NOTHING = Inventory(0, "", SightedFacts(), {}, {}, {}, {}, ())


@pytest.fixture
def filled(store: EvidenceStore, make: Make, now: int) -> EvidenceStore:
    store.append([make(number) for number in range(21)], now)
    store.append([make(5, raw="another", action="iam:PassRole")], now)
    store.seal(now)
    store.append([make(number) for number in range(30, 40)], now)
    store.seal(now)
    return store


def first(document: Any) -> Any:
    return document.items[0]


def test_a_proof_leads_from_the_record_to_the_signed_root(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    item = first(verify_and_prove.prove_record(filled, make(3).event_id.hex()))
    assert item["event_id"] == make(3).event_id.hex()
    path = [bytes.fromhex(step) for step in item["path"]]
    leaf = leaf_hash(item["event"].encode())
    assert item["leaf"] == leaf.hex()
    root = bytes.fromhex(item["event_root"])
    assert verify_inclusion(item["row"], item["rows"], leaf, path, root)
    assert item["log_root"] in _hex_of(item["checkpoint"])


def _hex_of(note: str) -> str:
    import base64

    return base64.b64decode(note.split("\n")[2]).hex()


def test_a_conflict_is_proven_with_both_its_records(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    items = verify_and_prove.prove_record(filled, make(5).event_id.hex()).items
    actions = {json.loads(str(item["event"]))["action"] for item in items}
    assert actions == {"s3:GetObject", "iam:PassRole"}


@pytest.mark.parametrize("text", ["", "abc", "zz" * 16, "00" * 17, "00" * 16])
def test_an_id_that_is_none_or_unknown_is_refused(
    filled: EvidenceStore, now: int, text: str
) -> None:
    with pytest.raises(UsageError, match="event"):
        verify_and_prove.prove_record(filled, text)


def bundle_of(
    store: EvidenceStore, events: list[AuditEvent], now: int
) -> tuple[bytes, str]:
    item = first(
        verify_and_prove.build_bundle(store, [e.event_id.hex() for e in events])
    )
    return item["bundle"].encode(), item["key"]


def test_an_outsider_verifies_a_bundle_with_the_public_key_alone(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    data, key = bundle_of(filled, [make(3), make(31), make(3)], now)
    document = verify_and_prove.verify_evidence(data, key=key)
    assert not document.failed
    assert "2 events" in str(document.items[1]["detail"])
    assert len(json.loads(data)["segments"]) == 2


def test_every_changed_letter_of_a_bundle_is_found(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    data, key = bundle_of(filled, [make(3)], now)
    for place in range(0, len(data) - 1, 3):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 7
        try:
            document = verify_and_prove.verify_evidence(bytes(changed), key=key)
        except UsageError:
            continue
        assert document.failed, f"letter {place} was changed unseen"


def test_a_bundle_with_no_event_proves_nothing(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    data, key = bundle_of(filled, [make(3)], now)
    emptied = {**json.loads(data), "events": []}
    assert verify_and_prove.verify_evidence(
        json.dumps(emptied).encode(), key=key
    ).failed


def test_a_bundle_needs_the_key_and_the_right_one(
    filled: EvidenceStore, make: Make, now: int, tmp_path: Path
) -> None:
    data, _ = bundle_of(filled, [make(3)], now)
    with pytest.raises(UsageError, match="public key"):
        verify_and_prove.verify_evidence(data)
    with EvidenceStore.open(tmp_path / "other", now=now) as other:
        other.put_object("sync", b"{}", now)
        assert verify_and_prove.verify_evidence(
            data, key=str(other.keys.public_key)
        ).failed


def test_what_is_no_bundle_is_refused(filled: EvidenceStore, now: int) -> None:
    key = str(filled.keys.public_key)
    for data in (b"", b"{}", b"[" * 3000, b'{"schema":"answerable/bundle/v2"}'):
        with pytest.raises(UsageError, match="bundle"):
            verify_and_prove.verify_evidence(data, key=key)


def test_a_store_is_verified_with_a_line_for_each_check(
    filled: EvidenceStore, now: int
) -> None:
    document = verify_and_prove.verify_evidence(filled)
    assert document.kind == "verify"
    assert not document.failed
    assert [item["check"] for item in document.items] == [
        "keys",
        "checkpoint",
        "log",
        "segments",
        "journals",
        "objects",
    ]


def test_a_checkpoint_is_exported_byte_for_byte(
    filled: EvidenceStore, now: int
) -> None:
    item = first(verify_and_prove.show_checkpoint(filled))
    assert item["note"].encode() == filled.log.checkpoint()
    document = verify_and_prove.verify_evidence(
        filled, checkpoint=item["note"].encode(), key=item["key"]
    )
    assert not document.failed
    assert "history" in {item["check"] for item in document.items}


def test_a_store_without_a_log_has_no_checkpoint(
    store: EvidenceStore, now: int
) -> None:
    with pytest.raises(UsageError, match="the log is empty"):
        verify_and_prove.show_checkpoint(store)


def test_sql_gives_an_item_for_each_row(filled: EvidenceStore, now: int) -> None:
    document = run_sql_query(
        filled,
        NOTHING,
        "SELECT action, count(*) AS calls, min(event_time) AS first, facts[1] AS f, "
        "1.5::DECIMAL AS d, 'nan'::DOUBLE AS n, '\\x00'::BLOB AS b "
        "FROM events GROUP BY ALL ORDER BY action",
        now=now,
    )
    assert document.kind == "sql"
    item = first(document)
    assert item["action"] == "iam:PassRole"
    assert item["calls"] == 1
    assert item["first"].startswith("2023-11-14T22:13:25")
    assert item["f"] == ["region", "eu-west-1"]
    assert item["b"] == "00"
    assert item["n"] == "nan"
    json.dumps(document.items, allow_nan=False)


def test_sql_names_the_sources_of_sealed_events_without_reading_them(
    filled: EvidenceStore, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a segment was read")

    filled.seal(now)
    monkeypatch.setattr(EvidenceStore, "run_query", refuse)
    document = run_sql_query(filled, NOTHING, "SELECT count(*) FROM events", now=now)
    assert document.coverage["seen"] == ["cloudtrail"]


def test_columns_of_one_name_do_not_hide_each_other(
    store: EvidenceStore, now: int
) -> None:
    document = run_sql_query(
        store, NOTHING, 'SELECT 1 AS a, 2 AS a, 3 AS "a_2"', now=now
    )
    assert sorted(first(document).values()) == [1, 2, 3]


@pytest.mark.parametrize(
    "view",
    ["events", "lineage", "decisions", "agents", "identities", "credentials", "owners"],
)
def test_every_documented_view_is_there(
    store: EvidenceStore, now: int, view: str
) -> None:
    query = f"SELECT count(*) AS n FROM {view}"  # noqa: S608
    document = run_sql_query(store, NOTHING, query, now=now)
    assert document.items == [{"n": 0}]


def said_of(data: bytes, key: str, now: int) -> str:
    """Give the details of the checks of a bundle that do not hold."""
    document = verify_and_prove.verify_evidence(data, key=key)
    assert document.failed
    return "; ".join(str(i["detail"]) for i in document.items if not i["ok"])


def test_a_record_that_stands_twice_in_a_bundle_is_found(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    data, key = bundle_of(filled, [make(3), make(4), make(31)], now)
    document = json.loads(data)
    document["events"] *= 20_000
    said = said_of(json.dumps(document).encode(), key, now)
    assert said == "event 3 of the bundle repeats event 0"


def test_a_record_repeated_under_a_second_copy_of_its_segment_is_found(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    data, key = bundle_of(filled, [make(3)], now)
    document = json.loads(data)
    document["segments"] *= 2
    document["events"].append({**document["events"][0], "segment": 1})
    said = said_of(json.dumps(document).encode(), key, now)
    assert said == "event 1 of the bundle repeats event 0"


@pytest.mark.parametrize(
    ("member", "twice"),
    [
        (b'"schema":', b'"schema":"x","schema":'),
        (b'"events":[', b'"events":[],"events":['),
        (b'"row":', b'"row":7,"row":'),
        (b'"row":', b'"\\u0072ow":7,"row":'),
    ],
)
def test_a_bundle_with_a_member_twice_is_refused(
    filled: EvidenceStore, make: Make, now: int, member: bytes, twice: bytes
) -> None:
    data, key = bundle_of(filled, [make(3)], now)
    with pytest.raises(UsageError, match="not a bundle"):
        verify_and_prove.verify_evidence(data.replace(member, twice, 1), key=key)


@pytest.mark.parametrize("more", [b"x", b"{}", b"\0", b"\n//"])
def test_bytes_behind_a_bundle_are_refused(
    filled: EvidenceStore, make: Make, now: int, more: bytes
) -> None:
    data, key = bundle_of(filled, [make(3)], now)
    with pytest.raises(UsageError, match="not a bundle"):
        verify_and_prove.verify_evidence(data + more, key=key)
