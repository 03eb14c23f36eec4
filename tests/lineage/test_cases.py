"""Investigation cases: their records, a bundle that verifies offline, and a page."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from answerable.evidence import owner_attestations
from answerable.model.errors import UsageError, VerificationError
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from answerable.usecases.lineage import export_case, manage_cases
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import NOW
from tests.usecases import owned_store

TITLE = "Reads of the quarterly report"


@pytest.fixture
def case(day: EvidenceStore) -> str:
    """A case with two reads under an issued credential, and a note."""
    (item,) = manage_cases.create_case(day, TITLE, "ana", now=NOW).items
    rows = trace_events(day, TraceQuery(action="s3:*"), now=NOW).items
    ids = [str(row["event_id"]) for row in rows]
    manage_cases.add_to_case(day, TITLE, ids, "ana", now=NOW)
    manage_cases.note_on_case(day, TITLE, "Ana did <not> run it", "ana", now=NOW)
    return str(item["id"])


def bundle_of(store: EvidenceStore, case: str, **how: bool) -> dict[str, Any]:
    (item,) = export_case.build_case_bundle(store, case, now=NOW, **how).items
    found: dict[str, Any] = json.loads(str(item["bundle"]))
    return found


def verify(store: EvidenceStore, bundle: dict[str, Any]) -> tuple[bool, str]:
    data = json.dumps(bundle).encode()
    document = verify_evidence(data, key=str(store.keys.public_key))
    return document.failed, str(document.items[-1]["detail"])


def test_a_case_lists_what_was_added_and_by_whom(day: EvidenceStore, case: str) -> None:
    (item,) = manage_cases.list_stored_cases(day).items
    assert (item["id"], item["title"], item["state"]) == (case, TITLE, "open")
    assert (item["events"], item["notes"], item["opened_by"]) == (2, 1, "ana")
    records = manage_cases.show_case(day, case[:6], now=NOW).items
    kinds = [record["kind"] for record in records]
    assert kinds == ["opened", "event", "event", "note"]
    assert all(len(record["rows"]) == 1 for record in records[1:3])


def test_an_item_is_added_once_and_nothing_if_one_is_unknown(
    day: EvidenceStore, case: str
) -> None:
    known = str(
        trace_events(day, TraceQuery(action="s3:*"), now=NOW).items[0]["event_id"]
    )
    other = str(trace_events(day, TraceQuery(limit=1), now=NOW).items[0]["event_id"])
    manage_cases.add_to_case(day, case, [known], "ana", now=NOW)
    with pytest.raises(UsageError, match="no stored event, decision or finding"):
        manage_cases.add_to_case(day, case, [other, "f" * 32], "ana", now=NOW)
    (item,) = manage_cases.list_stored_cases(day).items
    assert item["events"] == 2


def test_a_closed_case_takes_nothing_more(day: EvidenceStore, case: str) -> None:
    manage_cases.close_case(day, case, "key rotated", "ben", now=NOW)
    with pytest.raises(UsageError, match="is closed"):
        manage_cases.note_on_case(day, case, "late", "ana", now=NOW)
    with pytest.raises(UsageError, match="contains a credential"):
        manage_cases.create_case(day, f"ghp_{'a1B2' * 9} leaked", "ana", now=NOW)
    manage_cases.create_case(day, "use of AKIAIOSFODNN7EXAMPLE", "ana", now=NOW)


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("password=hunter2", True),
        ("the agent had pwd: hunter2, rotate it", True),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True),
        ('export TOKEN="correcthorse"', True),
        ("psql postgres://ana:hunter2@db/x", True),
        ("token=correcthorse", True),
        ("the token: it was renewed; password was changed", False),
        ("secret:arn:aws:secretsmanager:eu-west-1:1:secret:db", False),
        ("key=s3://warehouse/a.parquet of AKIAIOSFODNN7EXAMPLE", False),
        ("token=$TOKEN and password=***", False),
    ],
)
def test_a_note_with_a_password_is_refused(
    day: EvidenceStore, case: str, text: str, *, is_refused: bool
) -> None:
    if is_refused:
        with pytest.raises(UsageError, match="contains a credential") as refused:
            manage_cases.note_on_case(day, case, text, "ana", now=NOW)
        assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"
    else:
        manage_cases.note_on_case(day, case, text, "ana", now=NOW)


def test_a_bundle_verifies_without_the_store_and_has_the_joining_events(
    day: EvidenceStore, case: str
) -> None:
    bundle = bundle_of(day, case)
    failed, last = verify(day, bundle)
    assert not failed
    assert last.startswith("0 owners equal a statement in the log")
    assert bundle["joining"]  # the AssumeRole that issued the key
    ids = {json.loads(each["event"])["event_id"] for each in bundle["proofs"]["events"]}
    assert set(bundle["joining"]) < ids
    assert bundle["drawing"].startswith("flowchart LR")
    assert bundle["owners"]


def _change_note(bundle: dict[str, Any]) -> None:
    for each in bundle["objects"]:
        text = base64.b64decode(each["content"]).decode()
        if "run it" in text:
            each["content"] = base64.b64encode(
                text.replace("<not>", "").encode()
            ).decode()


def _hide_note(bundle: dict[str, Any]) -> None:
    for each in bundle["objects"]:
        each["content"] = ""


def _change_row(bundle: dict[str, Any]) -> None:
    bundle["rows"][0]["hops"]["resource"]["value"] = "arn:aws:s3:::other"


def _drop_event(bundle: dict[str, Any]) -> None:
    del bundle["proofs"]["events"][0]


def _rename(bundle: dict[str, Any]) -> None:
    bundle["case"] = "0" * 12


def _move_object(bundle: dict[str, Any]) -> None:
    bundle["objects"][0]["index"] += 1


def _change_drawing(bundle: dict[str, Any]) -> None:
    bundle["drawing"] = bundle["drawing"].replace("person: ", "person: not ")


@pytest.mark.parametrize(
    "change",
    [
        _change_note,
        _hide_note,
        _change_row,
        _drop_event,
        _rename,
        _move_object,
        _change_drawing,
    ],
)
def test_a_changed_bundle_fails(
    day: EvidenceStore, case: str, change: Callable[[dict[str, Any]], None]
) -> None:
    bundle = bundle_of(day, case)
    change(bundle)
    failed, _ = verify(day, bundle)
    assert failed


def state_owner(store: EvidenceStore, subject: str, *, signed: bool) -> None:
    """Record a statement of Ana that she owns a subject."""
    if signed:
        owned_store.enroll(store, owned_store.A, owned_store.ANA, at=NOW)
        said = owner_attestations.build_attestation_content(
            subject, owned_store.ANA, previous="", now=NOW
        )
        AttestedOwnerReader.sign(store, said, owned_store.A, NOW)
        return
    seen = FactProvenance("attest:", "command line", WrittenBy.SELF_REPORTED, NOW)
    kind = OwnerEvidenceKind.CONFIRMATION
    plain = OwnerEvidence(subject, owned_store.ANA, kind, "attest", "", False, seen)
    store.put_object("attestation", msgspec.json.encode(plain), NOW)


@pytest.mark.parametrize("signed", [False, True])
def test_a_stated_owner_equals_a_statement_in_the_log(
    day: EvidenceStore, case: str, signed: bool
) -> None:
    subject = bundle_of(day, case)["rows"][0]["identity_path"][-1]
    state_owner(day, subject, signed=signed)
    bundle = bundle_of(day, case)
    state = "attested" if signed else "confirmed"
    assert bundle["owners"][subject]["state"] == state
    failed, last = verify(day, bundle)
    assert not failed
    assert last.startswith("1 owners equal a statement")
    changes: list[tuple[str, dict[str, object]]] = [
        (subject, {"person": "person:ben@corp.example"}),
        (subject, {"state": "confirmed" if signed else "attested"}),
        ("agent:declared/other", {"state": state, "person": owned_store.ANA}),
    ]
    for key, change in changes:
        owners = bundle["owners"]
        forged = bundle | {"owners": owners | {key: owners.get(key, {}) | change}}
        failed, last = verify(day, forged)
        assert failed
        assert "the log contains no statement" in last


def test_a_case_without_events_verifies_too(day: EvidenceStore) -> None:
    manage_cases.create_case(day, "empty", "ana", now=NOW)
    assert verify(day, bundle_of(day, "empty"))[0] is False


def test_a_page_has_six_columns_no_script_and_escapes_names(
    day: EvidenceStore, case: str
) -> None:
    page = "".join(export_case.build_case_page(day, case, now=NOW).lines)
    assert "<script" not in page
    assert "Ana did &lt;not&gt; run it" in page
    heads = ("person", "agent", "tool", "identity", "action", "resource")
    assert "".join(f"<th>{head}</th>" for head in heads) in page
    assert "(inferred)" in page


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_lost_record_hides_no_other_case(
    day: EvidenceStore, case: str, is_deleted: bool
) -> None:
    manage_cases.create_case(day, "Another", "ben", now=NOW)
    manage_cases.create_case(day, "A third", "ben", now=NOW)
    logged = day.list_objects("case")
    for lost in (logged[-2], logged[0]):  # `Another` is gone; the first loses its title
        path = day.layout.objects / lost.digest
        if is_deleted:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-3])
    document = manage_cases.list_stored_cases(day)
    titles = [item["title"] for item in document.items]
    assert titles == ["A third", "(title not known)"]
    assert document.is_partial
    (source,) = document.coverage["sources"]
    assert [logged[0].digest in source["problems"][0], len(source["problems"])] == [
        1,
        2,
    ]
    with pytest.raises(VerificationError, match=logged[0].digest):
        manage_cases.show_case(day, case, now=NOW)
