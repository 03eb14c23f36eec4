"""Every evaluation is evidence before its answer is given, and holds no secret."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.authorization.pins.pin_comparison import (
    ObservedList,
    apply_approval,
    compare_list_with_pins,
    select_items_for_approval,
)
from answerable.connectors.gateway.parse.recorder_lines import (
    ReadProgress,
    RecorderLines,
)
from answerable.model.caller import AuthenticationMethod
from answerable.model.definition_pin import DefinitionApproval, PinningMode
from answerable.model.definition_pin import DefinitionKind as Item
from answerable.model.spool_record import (
    CallEndRecord,
    RecorderOpened,
    RefusalCountRecord,
    RevocationApplied,
)
from answerable.server.pins.pin_files import PinFiles
from answerable.server.recording.journal import RecordJournal
from answerable.server.revocation_list import RevocationFile
from tests.gateway.serve.running_gateway import token_of
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ANA,
    CALL,
    DENIED,
    EVALUATION,
    READ,
    DecisionPointHarness,
    deciding,
    settings,
)


def id_of(told: Any) -> str:
    return told.said["context"]["decision_id"]  # type: ignore[no-any-return]


def test_a_record_says_who_asked_about_whom_and_what_was_decided(
    point: DecisionPointHarness,
) -> None:
    action = CALL | {"properties": {"arguments": {"path": "/etc/s3cret"}}}
    id = id_of(point.ask(EVALUATION, ALLOWED | {"action": action}))
    record = next(each for each in point.decided() if each.id == id)
    assert record.caller.agent == "agent:declared/ana"
    assert record.caller.shown is AuthenticationMethod.ENFORCEMENT_POINT
    assert record.act.asked_by == "corp/pep"
    assert (record.act.method, record.act.server) == ("tools/call", "files")
    assert (record.act.target, record.act.name) == ("tool", "read")
    assert len(record.act.arguments) == 64
    assert record.decision.determining == ("agents.ana.allow[0]",)


def test_what_may_go_on_ends_elsewhere(point: DecisionPointHarness) -> None:
    id = id_of(point.ask(EVALUATION, ALLOWED))
    records = point.records()
    record = next(each for each in point.decided() if each.id == id)
    ends = [each for each in records if isinstance(each, CallEndRecord)]
    assert [each.end.outcome for each in ends if each.decided == record.sequence] == [
        "unknown"
    ]


def test_what_is_not_in_our_words_is_recorded_too(point: DecisionPointHarness) -> None:
    asked = {"action": {"name": "can_read"}, "resource": {"type": "doc", "id": "1"}}
    id = id_of(point.ask(EVALUATION, ALLOWED | asked))
    record = next(each for each in point.decided() if each.id == id)
    assert (record.act.method, record.act.name, record.act.server) == (
        "can_read",
        "1",
        "",
    )


def test_records_become_events_of_their_own_source(point: DecisionPointHarness) -> None:
    allowed = id_of(point.ask(EVALUATION, ALLOWED))
    denied = id_of(point.ask(EVALUATION, DENIED))
    point.ask(EVALUATION, ALLOWED | {"resource": {"type": "doc", "id": "1"}})
    folder = next((point.folder / "store/decisions/spool").glob("pdp-*"))
    point.records()
    lines = RecorderLines(folder.name, ReadProgress())
    data = b"".join(each.read_bytes() for each in sorted(folder.glob("*.jsonl")))
    whole = data.rstrip(b"\0").splitlines(keepends=True)
    events = [lines.parse_line_to_event(each) for each in whole]
    found = {event.decision_id: event for event in events if event is not None}
    assert not lines.problems
    assert found[allowed].outcome == "unknown"
    assert found[denied].outcome == "denied"
    assert found[denied].tool == "tool:mcp/files/write"
    for event in found.values():
        assert (event.source, event.recorder) == ("pdp", folder.name)
    assert ("asked_by", "corp/pep") in found[allowed].facts


def test_a_subjects_token_is_nowhere(
    point: DecisionPointHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    token = token_of("ana")
    subject = ANA | {"properties": {"token": token}}
    told = point.ask(EVALUATION, ALLOWED | {"subject": subject})
    assert told.decision
    record = point.decided()[-1]
    assert record.caller.run == "ana"
    point.ask(EVALUATION, {"subject": subject})
    point.records()
    signature = token.rpartition(".")[2]
    written = b"".join(
        each.read_bytes()
        for each in (point.folder / "store").rglob("*")
        if each.is_file()
    )
    assert signature.encode() not in written
    assert signature not in "".join(capfd.readouterr())


def test_what_is_turned_away_is_counted_and_leaves_a_record_a_second(
    tmp_path: Path,
) -> None:
    with deciding(tmp_path) as point:
        for _ in range(3):
            point.ask(EVALUATION, ALLOWED, who="")
        point.ask(EVALUATION, ALLOWED, who="ana")
        point.house._recorder._record_counts_if_possible()
        found = [
            each for each in point.records() if isinstance(each, RefusalCountRecord)
        ]
        assert {(each.why, each.count) for each in found} == {
            ("nothing-shown", 3),
            ("not-listed", 1),
        }


def test_what_cannot_be_recorded_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deciding(tmp_path) as point:
        monkeypatch.setattr(
            RecordJournal, "find_recording_obstacle", lambda *_: "spool-full"
        )
        told = point.ask(EVALUATION, ALLOWED)
        assert told.said == {
            "decision": False,
            "context": {"decision": "error", "decision_id": ""},
        }
        numbers = point.ask("/metrics", method="GET", who="").body.decode()
        assert "answerable_pdp_unrecorded_total 1.0" in numbers


def test_what_may_change_something_is_on_disk_before_its_answer(
    tmp_path: Path,
) -> None:
    said = settings()
    said["agents"]["ana"]["allow"][0]["tools"].append("write")
    with deciding(tmp_path, said) as point:
        id = id_of(point.ask(EVALUATION, DENIED))
        spool = tmp_path / "store/decisions/spool"
        data = b"".join(each.read_bytes() for each in spool.glob("pdp-*/*.jsonl"))
        assert id.encode() in data, "the answer came before its record"


def test_a_reinstated_signing_key_is_accepted_without_a_reload(tmp_path: Path) -> None:
    made = settings()
    made["issuers"]["corp"]["ours"] = True
    with deciding(tmp_path, made) as point:
        revocations = RevocationFile(tmp_path / "store/gateway")
        assert point.ask(said=ALLOWED).status == 200
        revocations.revoke("key:k1")
        point.house.core.revocations.refresh()
        assert point.ask(said=ALLOWED).status == 401
        revocations.reinstate("key:k1")
        point.house.core.revocations.refresh()
        assert point.ask(said=ALLOWED).status == 200


def test_a_kill_takes_hold_and_is_recorded(tmp_path: Path) -> None:
    with deciding(tmp_path) as point:
        assert point.evaluate()
        kills = RevocationFile(tmp_path / "store/gateway")
        for subject in ("agent:declared/ana", "principal:corp/ana", "server:files"):
            kills.revoke(subject)
            point.house.core.revocations.refresh()
            assert not point.evaluate(), subject
            assert point.decided()[-1].decision.reason == "killed"
            kills.reinstate(subject)
            point.house.core.revocations.refresh()
            assert point.evaluate()
        kills.revoke("tool:mcp/files/read")
        point.house.core.revocations.refresh()
        assert not point.evaluate()
        assert point.evaluate(resource=READ | {"id": "tool:mcp/files/slow"})
        assert (
            len(
                [
                    each
                    for each in point.records()
                    if isinstance(each, RevocationApplied)
                ]
            )
            == 7
        )


def test_what_the_gateway_holds_in_quarantine_is_denied_here_too(
    tmp_path: Path,
) -> None:
    with deciding(tmp_path) as point:
        assert point.evaluate()
        files = PinFiles(tmp_path / "store/gateway")
        for description in ("reads", "reads, then sends it"):
            said = b'{"name":"read","description":"%b"}' % description.encode()
            listed = ObservedList(
                Item.TOOL, (build_canonical_definition(Item.TOOL, "read", said),)
            )
            see = partial(
                compare_list_with_pins,
                listed=listed,
                server="files",
                pinning=PinningMode.FIRST_USE,
                now=1,
            )
            files.change_pins("files", see)
        point.house.core.pins.refresh()
        assert not point.evaluate()
        assert point.decided()[-1].decision.reason == "quarantined"
        word = DefinitionApproval("person:ana", "s" * 64, 2)
        files.change_pins(
            "files",
            lambda pins: apply_approval(pins, select_items_for_approval(pins), word),
        )
        point.house.core.pins.refresh()
        assert point.evaluate()


def test_a_run_is_killed_where_a_token_names_it(tmp_path: Path) -> None:
    with deciding(tmp_path) as point:
        subject = ANA | {"properties": {"token": token_of("ana")}}
        RevocationFile(tmp_path / "store/gateway").revoke("run:ana")
        point.house.core.revocations.refresh()
        assert not point.evaluate(subject=subject)


def test_another_file_is_in_force_after_a_reload(tmp_path: Path) -> None:
    with deciding(tmp_path) as point:
        said = settings()
        said["agents"]["ana"]["allow"][0]["tools"].remove("read")
        said["decisions"] = said["decisions"] | {
            "callers": [{"issuer": "corp", "sub": "other"}]
        }
        point.swap(said)
        assert point.ask(EVALUATION, ALLOWED).status == 403
        assert not point.ask(EVALUATION, ALLOWED, who="other").decision


def test_a_recorder_names_the_one_before_it(tmp_path: Path) -> None:
    with deciding(tmp_path) as point:
        point.evaluate()
    with deciding(tmp_path) as point:
        opened = [each for each in point.records() if isinstance(each, RecorderOpened)]
        assert {each.recorder for each in opened} >= {
            each.previous for each in opened
        } - {""}
        assert len(opened) == 2
