"""Values that are new, gone or changed, and what the store cannot know about them."""

from collections.abc import Sequence

import pytest

from answerable.model.collection import UnreadLog
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS, HOUR_NS
from answerable.presentation.time_input import TimeWindow, parse_window
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.collection_state import record_unread_log
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.compare_windows import (
    compare_windows,
    list_first_seen,
)
from tests.lineage.conftest import ACCOUNT, NOW, keep, made

TODAY = NOW // DAY_NS * DAY_NS
LATER = TraceQuery(since=TODAY - DAY_NS, until=TODAY)
EARLIER = TimeWindow(TODAY - 3 * DAY_NS, TODAY - DAY_NS)


def on(day: int, number: int = 0, **fields: object) -> AuditEvent:
    """One event, some days before today."""
    at = TODAY - day * DAY_NS + HOUR_NS + number
    source = str(fields.get("source", "cloudtrail"))
    name = repr((at, sorted(fields.items(), key=repr))).encode()
    usual: dict[str, object] = {
        "event_id": build_event_id(at, source, ACCOUNT, name),
        "event_time": at,
        "raw_sha256": build_event_id(at, source, ACCOUNT, name) * 2,
        "facts": (("region", "eu-west-1"),),
    }
    return made(0, **(usual | fields))


def every_day(*days: int) -> list[AuditEvent]:
    return [on(day) for day in days]


def first_seen(
    store: EvidenceStore, fields: str = "action"
) -> dict[str, tuple[str, str]]:
    document = list_first_seen(store, LATER, fields, None, now=NOW)
    return {
        str(item["value"]): (str(item["state"]), str(item["why"]))
        for item in document.items
    }


def compared(store: EvidenceStore, fields: str = "action") -> dict[object, tuple]:
    document = compare_windows(store, LATER, fields, EARLIER, now=NOW)
    return {
        item["action"]: (item["state"], item["events_before"], item["events"])
        for item in document.items
    }


def test_a_value_without_an_earlier_event_is_new(store: EvidenceStore) -> None:
    keep(store, [*every_day(3, 2, 1), on(1, action="iam:CreateUser")])
    assert first_seen(store) == {"iam:CreateUser": ("new", "")}


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ((), {}, "no trusted record of cloudtrail 111122223333 in that window"),
        ((4, 2), {}, "no record of cloudtrail 111122223333 on 1 day"),
        (
            (3, 2),
            {"facts": (("region", "us-west-2"),)},
            "no record in us-west-2 of cloudtrail",
        ),
        (
            (3, 2),
            {"facts": (("category", "Data"), ("region", "eu-west-1"))},
            "no data events of iam in eu-west-1 of cloudtrail",
        ),
        ((3, 2), {"scope": "999900001111"}, "no trusted record of cloudtrail 9999"),
    ],
)
def test_a_value_is_not_known_to_be_new_where_the_store_does_not_cover_the_past(
    store: EvidenceStore, before: Sequence[int], event: dict[str, object], why: str
) -> None:
    keep(store, [*every_day(*before, 1), on(1, action="iam:CreateUser", **event)])
    state, reason = first_seen(store)["iam:CreateUser"]
    assert state == "not-known"
    assert reason.startswith(why)


def test_a_value_is_not_known_to_be_new_where_a_log_was_not_read_completely(
    store: EvidenceStore,
) -> None:
    keep(store, [*every_day(3, 2, 1), on(1, action="iam:CreateUser")])
    unread = UnreadLog("cloudtrail:/logs", NOW, problems={"unreadable": 1})
    record_unread_log(store.layout, unread)
    state, why = first_seen(store)["iam:CreateUser"]
    assert state == "not-known"
    assert "cloudtrail:/logs: 1 file or part could not be read" in why
    assert compared(store)["iam:CreateUser"][0] == "not-known"


def test_a_self_reported_event_hides_nothing_and_is_never_new(
    store: EvidenceStore,
) -> None:
    forged = {"source": "otel", "written_by": WrittenBy.SELF_REPORTED}
    keep(
        store,
        [
            *every_day(3, 2, 1),
            on(3, action="iam:CreateUser", **forged),
            on(1, action="iam:CreateUser"),
            on(1, action="tool.call", **forged),
        ],
    )
    found = first_seen(store)
    assert found["iam:CreateUser"] == ("new", "")
    assert found["tool.call"] == (
        "not-known",
        "only self-reported records contain the value",
    )


def test_hops_are_compared_too(store: EvidenceStore) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/new"
    keep(store, [*every_day(3, 2, 1), on(1, identity=role)])
    assert first_seen(store, "identity,resource") == {role: ("new", "")}


def test_counts_of_two_windows(store: EvidenceStore) -> None:
    keep(
        store,
        [
            *every_day(3, 2, 1),
            on(3, action="s3:PutObject"),
            on(1, action="iam:CreateUser"),
            on(2, action="s3:ListBucket"),
            on(1, action="s3:ListBucket"),
        ],
    )
    assert compared(store) == {
        "iam:CreateUser": ("new", 0, 1),
        "s3:PutObject": ("gone", 1, 0),
        "s3:GetObject": ("changed", 2, 1),
    }


def test_a_value_is_not_known_to_be_gone_from_a_window_without_records(
    store: EvidenceStore,
) -> None:
    keep(store, every_day(3, 2))
    assert compared(store) == {"s3:GetObject": ("not-known", 2, 0)}


def test_an_empty_answer_names_the_days_without_records(store: EvidenceStore) -> None:
    keep(store, every_day(3, 2))
    document = list_first_seen(store, LATER, "action", None, now=NOW)
    assert document.items == []
    assert document.searched.startswith(
        "no event in that window; not known: no trusted"
    )
    keep(store, every_day(1))
    document = list_first_seen(store, LATER, "action", None, now=NOW)
    assert document.searched == "all 1 values in that window were recorded before"


def test_windows_that_cannot_be_compared_are_refused(store: EvidenceStore) -> None:
    with pytest.raises(UsageError, match="requires the start of the later window"):
        list_first_seen(store, TraceQuery(), "action", None, now=NOW)
    with pytest.raises(UsageError, match="the windows overlap"):
        compare_windows(store, LATER, "action", TimeWindow(0, TODAY), now=NOW)
    for text in ("14d", "7d..14d", "7d.."):
        with pytest.raises(UsageError, match="--compare"):
            parse_window(text, NOW)
