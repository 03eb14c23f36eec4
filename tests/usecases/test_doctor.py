import json
import os
import shutil
from pathlib import Path

import pytest

from answerable.model.collection import UnreadLog
from answerable.model.documents.shared_shapes import Document
from answerable.model.provenance import WrittenBy
from answerable.store.collection_state import (
    forget_unread_locations,
    record_unread_log,
)
from answerable.store.legal_holds import LegalHold, place_hold, read_holds
from answerable.store.restoration_event import record_restore
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.export_checkpoint import export_checkpoint
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.operations.doctor import check_installation
from tests.connectors.logs.samples import K8S
from tests.inventory.fact_builders import DAY
from tests.store.conftest import _make as make_event
from tests.usecases.connector_stub import ConnectorStub

NOW = 21_000 * DAY


@pytest.fixture(autouse=True)
def _stage(stage: ConnectorStub) -> None:
    """Nobody's real home is looked at."""


def checked(root: Path) -> tuple[dict[str, tuple[bool, str]], Document]:
    document = check_installation(root, now=NOW, home=root, cwd=root)
    found = {str(i["check"]): (bool(i["ok"]), str(i["hint"])) for i in document.items}
    return found, document


def test_a_store_that_is_not_there_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    found, document = checked(tmp_path / "new" / "store")
    assert found["store"][0]
    assert not document.failed
    assert list(tmp_path.iterdir()) == []


def test_a_whole_store_passes(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.fingerprint("x")
    found, document = checked(tmp_path / "store")
    assert found["store"] == (True, "")
    assert found["keys"] == (True, "")
    assert not document.failed


def test_keys_that_others_may_read_fail_with_the_command_that_helps(
    tmp_path: Path,
) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.fingerprint("x")
    (tmp_path / "store" / "keys" / "fingerprint.key").chmod(0o644)
    found, document = checked(tmp_path / "store")
    assert found["keys"][0] is False
    assert found["keys"][1].startswith("chmod go-rwx ")
    assert document.failed


def test_keys_of_another_store_fail(tmp_path: Path) -> None:
    for name in ("store", "other"):
        with EvidenceStore.open(tmp_path / name, now=NOW) as store:
            store.put_object("attestation", b"x", NOW)
    keys = tmp_path / "store" / "keys"
    own = (keys / "log.pub").read_bytes()
    (keys / "log.pub").write_bytes((tmp_path / "other/keys/log.pub").read_bytes())
    found, document = checked(tmp_path / "store")
    assert not found["evidence"][0]
    assert document.failed
    (keys / "log.pub").write_bytes(own)
    (keys / "log.key").write_bytes((tmp_path / "other/keys/log.key").read_bytes())
    found, document = checked(tmp_path / "store")
    assert not found["evidence"][0]
    assert document.failed


def test_a_location_that_was_not_read_is_named_with_its_file(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        record_unread_log(store.layout, UnreadLog("okta:x", NOW, 1))
        record_unread_log(store.layout, UnreadLog("entra:y", NOW, 1))
        forget_unread_locations(store.layout, lambda text: text == "entra:y")
        folder = store.layout.collection.parent
        (folder / "unread-0.json").write_text("damaged")
    for path in sorted(folder.glob("unread-*.json")):
        items = checked(tmp_path / "store")[1].items
        assert sum(str(each["hint"]).endswith(f"remove {path}") for each in items) == 1


def test_a_log_with_fewer_entries_than_were_exported_fails(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with EvidenceStore.open(root, now=NOW) as store:
        store.put_object("attestation", b"x", NOW)
        shutil.copytree(store.layout.log, tmp_path / "log")
        digest = store.put_object("attestation", b"y", NOW)
        export_checkpoint(store, str(tmp_path / "checkpoint"), now=NOW)
    assert checked(root)[0]["evidence"][0]
    shutil.rmtree(root / "log")
    shutil.copytree(tmp_path / "log", root / "log")
    (root / "objects" / digest).unlink()
    items = checked(root)[1].items
    said = next(str(each["detail"]) for each in items if each["check"] == "evidence")
    assert said.startswith("the log has 1 entries, but 2 were exported to ")
    assert checked(root)[1].failed
    exported = (tmp_path / "checkpoint").read_bytes()
    with EvidenceStore.open(root, now=NOW) as store:
        record_restore(store, exported, "an older copy", NOW + 1)
    assert checked(root)[0]["evidence"][0]


def test_a_missing_object_and_an_unreadable_hold_fail(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        names = [store.put_object("attestation", b"%d" % n, NOW) for n in range(2)]
        place_hold(store, LegalHold(reason="x"), NOW)
        (hold,) = read_holds(store)
        files = {each: store.layout.objects / each for each in (*names, hold)}
        kept = {each: path.read_bytes() for each, path in files.items()}
    files[hold].write_bytes(kept[hold] + b"x")
    items = checked(tmp_path / "store")[1].items
    said = next(str(each["detail"]) for each in items if each["check"] == "evidence")
    assert said.endswith("is damaged: no event can be removed")
    for each in names:
        files[each].unlink()
    found, document = checked(tmp_path / "store")
    said = next(
        str(each["detail"]) for each in document.items if each["check"] == "evidence"
    )
    assert said == f"objects/{names[0]} is missing (and 1 more)"
    assert not found["evidence"][0]
    assert document.failed


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]"])
def test_damaged_export_times_are_not_known(tmp_path: Path, damaged: bytes) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("attestation", b"x", NOW)
        export_checkpoint(store, str(tmp_path / "checkpoint"), now=NOW)
        file = store.layout.checkpoint_exports
        file.write_bytes(damaged)
        items = checked(tmp_path / "store")[1].items
        (item,) = [each for each in items if each["check"] == "checkpoint"]
        assert "not known: collector/exports.json is damaged" in str(item["detail"])
        assert not item["ok"]
        export_checkpoint(store, str(tmp_path / "checkpoint"), now=NOW)
    assert checked(tmp_path / "store")[0]["checkpoint"][0]


def test_a_damaged_snapshot_fails_and_says_what_to_do(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("snapshot", b"not one", NOW)
    found, document = checked(tmp_path / "store")
    assert found["snapshot"][0] is False
    assert "evidence verify" in found["snapshot"][1]
    assert document.failed


def test_doctor_outlives_what_other_commands_end_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("snapshot", b"{}", NOW)

    def broken(store: EvidenceStore) -> None:
        raise RuntimeError("some engine's own words")

    monkeypatch.setattr("answerable.usecases.operations.doctor.load_inventory", broken)
    found, document = checked(tmp_path / "store")
    assert found["snapshot"][0] is False
    assert document.failed


def test_a_newer_store_fails_and_says_to_upgrade(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW):
        pass
    (tmp_path / "store" / "format.json").write_text('{"store": 99}')
    found, document = checked(tmp_path / "store")
    assert found["store"][0] is False
    assert "upgrade" in found["store"][1]
    assert document.failed


def test_a_folder_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found, _ = checked(tmp_path)
    assert found["store"] == (False, "name an empty or new folder with --store")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_made_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    found, _ = checked(tmp_path / "store")
    assert found["store"][0] is False


def test_a_clock_before_the_release_fails(tmp_path: Path) -> None:
    document = check_installation(tmp_path / "s", now=0, home=tmp_path, cwd=tmp_path)
    assert document.failed
    assert next(i["check"] for i in document.items if not i["ok"]) == "clock"


def test_a_scan_from_the_future_fails(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("snapshot", b"{}", NOW + DAY)
    document = check_installation(
        tmp_path / "store", now=NOW, home=tmp_path, cwd=tmp_path
    )
    assert document.failed


def test_every_failed_check_has_a_hint(tmp_path: Path) -> None:
    document = check_installation(tmp_path / "s", now=0, home=tmp_path, cwd=tmp_path)
    assert all(item["hint"] for item in document.items if not item["ok"])


def test_an_ingested_log_says_what_it_cannot_contain(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps(K8S))
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        ingest_logs(store, [f"k8s-audit:{log},cluster=prod"], now=NOW)
    _, document = checked(tmp_path / "store")
    (row,) = [item for item in document.items if item["check"] == "log k8s-audit"]
    assert row["ok"]
    assert "audit policy" in str(row["detail"])


HOUR = 3_600 * 10**9


def list_clock_details(root: Path) -> dict[str, str]:
    _, document = checked(root)
    found = [
        item for item in document.items if str(item["check"]).startswith("clock of")
    ]
    assert not any(item["ok"] for item in found)
    return {str(item["check"]): str(item["detail"]) for item in found}


def test_a_log_with_a_clock_ahead_is_named_with_the_difference(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        ahead = [make_event(n, event_time=NOW + n * HOUR) for n in (0, 2, 3)]
        late = [
            make_event(n, event_time=NOW + n * 10**9, source="okta") for n in (9, 99)
        ]
        store.append([*ahead, *late], NOW)
    found = list_clock_details(tmp_path)
    assert list(found) == ["clock of cloudtrail"]
    assert "2 events are up to 3 h later than their ingest" in found.popitem()[1]


def test_a_credential_that_is_used_before_its_issuance_shows_that_clocks_differ(
    tmp_path: Path,
) -> None:
    key = "cred:k8s-jti/7"
    issued = NOW - DAY
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        store.append(
            [
                make_event(1, event_time=issued, source="sts", issued=key),
                make_event(
                    2, event_time=issued - 2 * HOUR, source="okta", credential=key
                ),
                make_event(3, event_time=issued + HOUR, source="okta", credential=key),
                make_event(
                    4, event_time=issued - 10**9, source="gcp-audit", credential=key
                ),
                make_event(
                    5,
                    event_time=issued - 9 * HOUR,
                    source="otel",
                    credential=key,
                    written_by=WrittenBy.SELF_REPORTED,
                ),
            ],
            NOW,
        )
        store.seal(NOW)
    found = list_clock_details(tmp_path)
    assert list(found) == ["clock of okta"]
    assert "1 event uses a credential up to 2 h before" in found["clock of okta"]
    assert "the record of sts" in found["clock of okta"]
