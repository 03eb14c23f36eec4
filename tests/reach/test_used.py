"""Granted, reachable, used, blocked: what a policy says beside what a trail holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.documents.permission_usage import ActionUsageItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_aws_credential_id, build_event_id
from answerable.model.provenance import WrittenBy
from answerable.presentation.recorded_days import build_recorded_item
from answerable.store.store import EvidenceStore
from answerable.usecases.aws_permissions.list_used_actions import list_used_actions
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user

NOW = 1_764_000_000_000_000_000
HOUR = 3_600_000_000_000
EPOCH = date(1970, 1, 1)
ANA, RED = user("ana"), role("red")
KEY = build_aws_credential_id("ASIAEXAMPLEEXAMPLE01")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        yield opened


def estate() -> AccountBuilder:
    """Ana reads and writes objects, and may become `red`, who lists queues."""
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(RED)
    build.policy(
        ANA,
        "identity",
        statement("objects", action=["s3:GetObject", "s3:PutObject"], resource="*"),
        statement("buckets", action="s3:ListAllMyBuckets", resource="*"),
        statement("become", action="sts:AssumeRole", resource=RED),
    )
    build.policy(RED, "identity", statement("q", action="sqs:ListQueues", resource="*"))
    build.policy(
        RED, "trust", statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    )
    return build


def call(number: int, action: str, **changes: object) -> AuditEvent:
    native = f"native-{number}"
    at = NOW - 10 * HOUR + number * HOUR
    event = AuditEvent(
        event_id=build_event_id(at, "cloudtrail", A, native.encode()),
        event_time=at,
        source="cloudtrail",
        scope=A,
        written_by=WrittenBy.PLATFORM,
        raw_sha256=native.encode().ljust(32),
        action=action,
        outcome=EventOutcome.SUCCESS,
        native_id=native,
        identity=ANA,
        credential=build_aws_credential_id("AKIAEXAMPLEEXAMPLE01"),
    )
    return replace(event, **changes)  # type: ignore[arg-type]  # any field


DATA = (("category", "Data"),)
TRAIL = [
    call(1, "s3:GetObject", facts=DATA),
    call(2, "s3:HeadObject", facts=(("authorised_by", "s3:GetObject"), *DATA)),
    call(3, "s3:DeleteObject", facts=DATA, outcome=EventOutcome.DENIED),
    call(4, "sts:AssumeRole", issued=KEY, issued_to=RED, issued_until=NOW),
    call(5, "sqs:ListQueues", identity=RED, credential=KEY, session="work"),
    call(6, "sqs:CreateQueue", identity=role("other"), credential=""),
    call(7, "s3:PutObject", facts=DATA, written_by=WrittenBy.SELF_REPORTED),
]


def rows(document: Document) -> dict[str, ActionUsageItem]:
    items = cast(list[ActionUsageItem], document.items)
    return {item["action"]: item for item in items}


def ask(store: EvidenceStore, subject: str = "ana", **options: str | bool) -> Document:
    inventory = estate().inventory()
    return list_used_actions(store, inventory, subject, now=NOW, **options)  # type: ignore[arg-type]


def test_each_action_says_whether_it_is_granted_reachable_and_used(
    store: EvidenceStore,
):
    store.append(TRAIL, now=NOW)
    found = rows(ask(store))
    said = {
        action: (i["granted"], i["reachable"], i["used"], i["blocked"])
        for action, i in found.items()
    }
    assert said == {
        "s3:DeleteObject": ("never", "never", 0, 1),
        "s3:GetObject": ("always", "always", 2, 0),
        "s3:ListAllMyBuckets": ("always", "always", 0, 0),
        "s3:PutObject": ("always", "always", 0, 0),
        "sqs:ListQueues": ("never", "always", 1, 0),
        "sts:AssumeRole": ("always", "always", 1, 0),
    }
    assert found["sqs:ListQueues"]["used_by"] == [RED]
    assert found["s3:GetObject"]["last_used"] == "2025-11-24T08:00:00Z"
    assert found["s3:DeleteObject"]["last_blocked"] == "2025-11-24T09:00:00Z"


def test_direct_leaves_out_what_comes_through_others(store: EvidenceStore):
    store.append(TRAIL, now=NOW)
    found = rows(ask(store, direct=True))
    assert found["sqs:ListQueues"]["reachable"] == "never"
    assert found["sqs:ListQueues"]["used"] == 1


def test_without_a_trail_nothing_is_said_to_be_unused(store: EvidenceStore):
    document = ask(store)
    counts = {(i["used"], i["blocked"]) for i in rows(document).values()}
    assert counts == {(None, None)}
    assert "cloudtrail" in document.coverage["not_collected"]


def test_a_trail_of_another_account_tells_nothing_of_this_one(store: EvidenceStore):
    store.append([call(1, "s3:ListBuckets", scope=B, identity="")], now=NOW)
    document = ask(store)
    assert {i["used"] for i in rows(document).values()} == {None}
    assert "cloudtrail" in document.coverage["not_collected"]


def test_an_empty_answer_without_a_trail_names_the_trail(store: EvidenceStore):
    build = AccountBuilder()
    build.identity(ANA)
    document = list_used_actions(store, build.inventory(), "ana", now=NOW)
    assert document.items == []
    assert "cloudtrail" in document.coverage["not_collected"]


def test_a_refusal_in_one_account_tells_nothing_of_calls_in_another(
    store: EvidenceStore,
):
    build = estate()
    far = build.identity(role("far", account=B))
    build.policy(far, "identity", statement("w", action="kms:ListKeys", resource="*"))
    build.policy(
        far, "trust", statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    )
    enter = statement("b", action="sts:AssumeRole", resource=far)
    build.policy(ANA, "identity", enter, policy="enter")
    refused = call(1, "kms:ListKeys", outcome=EventOutcome.DENIED)
    store.append([refused], now=NOW)
    found = rows(list_used_actions(store, build.inventory(), "ana", now=NOW))[
        "kms:ListKeys"
    ]
    assert (found["used"], found["blocked"]) == (None, 1)
    assert found["recorded_since"] is None


def test_the_same_grant_in_another_account_needs_that_account_s_trail(
    store: EvidenceStore,
):
    build = estate()
    far = build.identity(role("far", account=B))
    for who in (RED, far):
        keys = statement("k", action="kms:ListKeys", resource="*")
        build.policy(who, "identity", keys, policy=f"{who}#keys")
    build.policy(
        far, "trust", statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    )
    enter = statement("b", action="sts:AssumeRole", resource=far)
    build.policy(ANA, "identity", enter, policy="enter")
    store.append([call(1, "sts:GetCallerIdentity")], now=NOW)

    def found() -> ActionUsageItem:
        document = list_used_actions(store, build.inventory(), "ana", now=NOW)
        return rows(document)["kms:ListKeys"]

    assert found()["used"] is None
    store.append([call(2, "sqs:ListQueues", scope=B, identity="")], now=NOW)
    assert found()["used"] == 0


def on(day: int, **changes: object) -> AuditEvent:
    """An event of a day of November 2025."""
    at = NOW + (day - 24) * 24 * HOUR
    native = f"{day}{sorted(changes.items())}"
    return call(
        0,
        "sts:GetCallerIdentity",
        event_time=at,
        native_id=native,
        event_id=build_event_id(at, "cloudtrail", A, native.encode()),
        **changes,
    )


def region(name: str) -> tuple[tuple[str, str], ...]:
    return (("region", name),)


def test_days_without_any_event_are_told_and_named(store: EvidenceStore):
    events = [on(day, facts=region("eu-west-1")) for day in (3, 4, 8, 10, 11)]
    events += [on(day, facts=region("us-east-1")) for day in (4, 10)]
    own = on(6, written_by=WrittenBy.SELF_REPORTED)
    store.append([*events, own, on(20, scope=B, identity="")], now=NOW)
    coverage = ask(store).coverage
    assert coverage["recorded"] == [
        {
            "account": A,
            "first": "2025-11-03",
            "last": "2025-11-11",
            "days": 5,
            "days_without": 4,
            "gaps": [
                {"first": "2025-11-05", "last": "2025-11-07"},
                {"first": "2025-11-09", "last": "2025-11-09"},
            ],
            "regions": [
                {
                    "region": "eu-west-1",
                    "first": "2025-11-03",
                    "last": "2025-11-11",
                    "days": 5,
                    "days_without": 4,
                },
                {
                    "region": "us-east-1",
                    "first": "2025-11-04",
                    "last": "2025-11-10",
                    "days": 2,
                    "days_without": 5,
                },
            ],
        }
    ]
    told = f"cloudtrail (account {A}, 4 days without events)"
    assert told in coverage["not_collected"]


def test_a_trail_without_gaps_names_none(store: EvidenceStore):
    store.append([on(day) for day in (3, 4, 5)], now=NOW)
    coverage = ask(store).coverage
    assert [(r["days"], r["gaps"]) for r in coverage["recorded"]] == [(3, [])]
    assert not any("cloudtrail" in word for word in coverage["not_collected"])


def test_without_a_trail_there_are_no_days(store: EvidenceStore):
    assert ask(store).coverage["recorded"] == []


@given(st.sets(st.integers(0, 60), min_size=1))
def test_days_with_and_without_events_are_all_days_there_are(days: set[int]) -> None:
    item = build_recorded_item(A, {"": days})
    first, last = (date.fromisoformat(item[end]) for end in ("first", "last"))
    assert item["days"] + item["days_without"] == (last - first).days + 1
    ends = [(date.fromisoformat(gap["first"]), date.fromisoformat(gap["last"])) for gap in item["gaps"]]  # fmt: skip
    silent = {
        day
        for start, end in ends
        for day in range((start - EPOCH).days, (end - EPOCH).days + 1)
    }
    assert silent == set(range(min(days), max(days))) - days


def test_silence_about_data_events_tells_nothing_where_none_are_recorded(
    store: EvidenceStore,
):
    store.append([call(4, "sts:AssumeRole", issued=KEY, issued_to=RED)], now=NOW)
    document = ask(store)
    found = rows(document)
    assert found["s3:GetObject"]["used"] is None
    assert found["s3:GetObject"]["recorded_since"] is None
    assert found["s3:ListAllMyBuckets"]["used"] == 0
    assert found["sqs:ListQueues"]["used"] == 0
    assert "data-events" in document.coverage["not_collected"]


def test_a_glob_narrows_and_a_star_is_every_action(store: EvidenceStore):
    store.append(TRAIL, now=NOW)
    assert set(rows(ask(store, action="s3:*Object"))) == {
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:PutObject",
    }
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(
        ANA,
        "identity",
        statement("all", action="*", resource="*"),
        statement("no", effect="Deny", action="sqs:*", resource="*"),
        statement("not", effect="Deny", not_action=["s3:*", "sqs:*"], resource="*"),
    )
    found = rows(list_used_actions(store, build.inventory(), "ana", now=NOW))
    granted = {i["service"] for i in found.values() if i["granted"] != "never"}
    assert granted == {"s3"}
    assert len(found) > 100


def test_an_action_that_takes_no_such_resource_is_not_granted(store: EvidenceStore):
    build = AccountBuilder()
    build.identity(ANA)
    objects = statement("o", action="s3:*", resource="arn:aws:s3:::red/*")
    build.policy(ANA, "identity", objects)
    found = rows(list_used_actions(store, build.inventory(), "ana", now=NOW))
    assert "s3:GetObject" in found
    assert "s3:ListAllMyBuckets" not in found
    assert "s3:CreateBucket" not in found


def test_where_patterns_overlap_the_one_action_is_asked_about(store: EvidenceStore):
    build = AccountBuilder()
    build.identity(ANA)
    objects = statement("o", action="s3:*Object", resource="*")
    build.policy(ANA, "identity", objects)
    build.policy(ANA, "boundary", statement("g", action="s3:Get*", resource="*"))
    found = rows(list_used_actions(store, build.inventory(), "ana", now=NOW))
    assert {a: i["granted"] for a, i in found.items()} == {"s3:GetObject": "always"}
