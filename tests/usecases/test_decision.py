"""A decision is found by its id, in the store and before it is shipped, and told whole."""

import fcntl
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.connectors.config.parse.rule_quote import quote_rule
from answerable.model.decision import DecisionLayer, DecisionReason, TargetKind
from answerable.model.errors import AmbiguousError, EnvironmentFailure, UsageError
from answerable.services.authorization import decision_records as decided_flow
from answerable.services.authorization.decision_output import PolicySource
from answerable.store.decision_queries import DecisionFilter
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization.explain_decision import show_decision
from answerable.usecases.authorization.list_decisions import (
    list_decisions,
    parse_position,
)
from answerable.usecases.evidence.ship_spool import ship_spool
from tests.connectors.gateway.spool_files import (
    ACT,
    DENY,
    closed,
    decided,
    ended,
    opened,
    spelled,
    write,
)
from tests.connectors.gateway.test_spool import living

NOW = 1_794_100_000_000_000_000
TEXT = b"""\
servers:
  files: {url: "http://127.0.0.1:1/mcp"}
agents:
  my.invoices:
    allow:
      - server: files
        tools: [a]
  invoices:
    mode: enforce
    allow:
      - server: files   # why
        tools:
          - read_file
          - list_files
      - server: mail
        tools: [send]
    owner: ana@corp.example
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened_store:
        yield opened_store


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def shown(store: EvidenceStore, spool: Path | None, text: str, **more: Any) -> Any:
    (item,) = show_decision(store, spool, text, now=NOW, **more).items
    return item


ARGUMENTS = hashlib.sha256(b"{}").hexdigest()
ACTED = msgspec.structs.replace(ACT, arguments=ARGUMENTS)
STORY = [
    opened(),
    decided(2, act=ACTED),
    decided(3, DENY, ACTED),
    ended(4, 2),
    closed(5),
]
WENT_ON, HELD = STORY[1].id, STORY[2].id  # type: ignore[union-attr]  # decisions


def test_a_decision_is_the_same_before_and_after_it_is_shipped(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    before = shown(store, spool, HELD)
    ship_spool(store, spool, now=NOW)
    after = shown(store, spool, HELD)
    assert (before["stored"], after["stored"]) == (False, True)
    assert before | {"stored": True} == after
    assert after["reason"] == "no-rule"
    assert after["layer"] == "table"
    assert (after["passed"], after["outcome"]) == (False, "denied")
    assert after["amendment"] == {
        "agent": "agent:declared/invoices",
        "server": "files",
        "target": "tool",
        "name": "read_file",
        "arguments": ARGUMENTS,
        "by": "owner",
        "sign": f"answerable asks allow {HELD} --key KEY",
    }


def test_a_part_of_the_decisions_says_of_how_many_shipped_or_not(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    for shipped in (False, True):
        if shipped:
            ship_spool(store, spool, now=NOW)
        first, after = list_decisions(store, spool, DecisionFilter(), limit=1, now=NOW)
        assert (len(first.items), first.total) == (1, 2)
        place = parse_position(after)
        last, end = list_decisions(
            store, spool, DecisionFilter(before=place), limit=1, now=NOW
        )
        assert (len(last.items), last.total, end) == (1, 2, "")
        whole, _ = list_decisions(store, spool, DecisionFilter(), limit=2, now=NOW)
        assert (len(whole.items), whole.total) == (2, -1)


def test_what_went_on_says_how_it_ended_and_needs_no_amendment(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    item = shown(store, spool, WENT_ON.upper())
    assert (item["passed"], item["ended"]) == (True, "completed")
    assert item["amendment"] is None


@pytest.mark.parametrize(
    ("reason", "by"),
    [
        (DecisionReason.FORBIDDEN, "two persons"),
        (DecisionReason.PARENT, "two persons"),
        (DecisionReason.ASKED, "owner"),
        (DecisionReason.KILLED, None),
        (DecisionReason.QUARANTINED, None),
        (DecisionReason.EVALUATION, None),
        (DecisionReason.NOT_ITS_OWN, None),
    ],
)
def test_who_may_lift_a_denial_follows_from_its_reason(
    store: EvidenceStore, spool: Path, reason: DecisionReason, by: str | None
) -> None:
    told = decided(2, replace(DENY, reason=reason, layer=DecisionLayer.CEDAR))
    write(spool, spelled([opened(), told, closed(3)]))
    item = shown(store, spool, told.id)
    assert item["layer"] == "cedar"
    assert (item["amendment"] and item["amendment"]["by"]) == by


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (TargetKind.RESOURCE, "file:///srv/a"),
        (TargetKind.PROMPT, "weekly/report"),
        (TargetKind.TOOL, "a/b"),
        (TargetKind.MODEL, ""),
    ],
)
def test_what_was_named_is_named_again(
    store: EvidenceStore, spool: Path, target: TargetKind, name: str
) -> None:
    act = msgspec.structs.replace(ACT, target=target, name=name)
    told = decided(2, DENY, act)
    write(spool, spelled([opened(), told, closed(3)]))
    wanted = shown(store, spool, told.id)["amendment"]
    assert (wanted["server"], wanted["target"], wanted["name"]) == (
        "files",
        target,
        name,
    )


def test_a_beginning_will_do_where_it_is_one_decisions_alone(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    shared = next(n for n in range(32) if WENT_ON[n] != HELD[n])
    assert shown(store, spool, HELD[: shared + 1])["id"] == HELD
    with pytest.raises(AmbiguousError) as error:
        show_decision(store, spool, HELD[:6], now=NOW)
    assert set(error.value.candidates) == {WENT_ON, HELD}


@pytest.mark.parametrize("text", ["ffffffffffff", "abc", "", "xyzxyzxyz", "' or 1=1"])
def test_an_id_that_nothing_bears_is_told(
    store: EvidenceStore, spool: Path, text: str
) -> None:
    with pytest.raises(UsageError) as error:
        show_decision(store, spool, text, now=NOW)
    assert error.value.hint


@pytest.mark.parametrize(
    ("rule", "line", "text"),
    [
        (
            "agents.invoices.allow[0]",
            11,
            "- server: files   # why\n  tools:\n    - read_file\n    - list_files",
        ),
        ("agents.invoices.allow[1]", 15, "- server: mail\n  tools: [send]"),
        ("agents.my.invoices.allow[0]", 6, "- server: files\n  tools: [a]"),
    ],
)
def test_a_rule_is_quoted_as_it_stands(rule: str, line: int, text: str) -> None:
    found = quote_rule(TEXT, rule)
    assert found is not None
    assert (found.line, found.text) == (line, text)


@pytest.mark.parametrize(
    "rule", ["servers.files", "agents.invoices.allow[9]", "agents.eve.allow[0]", "[0]"]
)
def test_nothing_else_is_quoted(rule: str) -> None:
    assert quote_rule(TEXT, rule) is None


def test_text_of_a_file_that_changed_since_is_told_as_such(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    for digest, current in (("ab" * 32, True), ("00" * 32, False)):
        policy = PolicySource("answerable.yaml", digest, TEXT)
        (rule,) = shown(store, spool, HELD, policy=policy)["determining"]
        assert rule["place"] == "answerable.yaml:11"
        assert rule["current"] is current


def test_a_spool_that_may_not_be_read_is_told(
    store: EvidenceStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(spool, spelled(STORY))
    monkeypatch.setattr(
        "answerable.services.authorization.decision_records.lock_spool", _refuse
    )
    with pytest.raises(UsageError, match="may not be read"):
        show_decision(store, spool, HELD, now=NOW)


def _refuse(spool: Path, how: int, *, timeout_seconds: float) -> None:
    raise EnvironmentFailure(f"may not be read: {spool}")


def test_a_spool_that_is_being_shipped_is_waited_for_but_not_for_ever(
    store: EvidenceStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(spool, spelled(STORY))
    with living(spool):
        monkeypatch.setattr(decided_flow, "_SPOOL_WAIT_SECONDS", 0.1)
        waiting = decided_flow.read_spool(spool)
        assert waiting.read_error == f"the spool is being shipped or read: {spool}"
        with pytest.raises(UsageError, match="is being shipped or read"):
            show_decision(store, waiting, HELD, now=NOW)
    with living(spool) as shipping:
        monkeypatch.setattr(decided_flow, "_SPOOL_WAIT_SECONDS", 30.0)
        release = threading.Timer(0.1, fcntl.flock, (shipping, fcntl.LOCK_UN))
        release.start()
        assert shown(store, spool, HELD)["id"] == HELD
        release.join()
