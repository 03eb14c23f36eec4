"""A published trail of 2,900 events: read whole, joined exactly, and tamper-evident.

What is expected is computed here from the files, with nothing but `json`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.cloudtrail import fetch
from answerable.model.connector import EventContext
from answerable.store.store import EvidenceStore
from tests.estate.seven import Ask
from tests.estate.shared import shared

EVENTS = 2_900
NOW = 1_790_000_000_000_000_000
STOLEN = "arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role"


@dataclass(frozen=True)
class Facts:
    """What the trail says, read a second time."""

    issuers: dict[str, str]  # key id -> who called AssumeRole
    used: Counter[str]  # key id -> events under it
    creators: dict[str, str]  # role created and deleted inside -> who created it


@cache
def facts() -> Facts:
    records: list[Any] = []
    for path in sorted(
        (shared("cloud-audit", "aws-invictus") / "CloudTrail").iterdir()
    ):
        records += json.loads(path.read_text())["Records"]
    issuers, creators, deleted = {}, {}, set()
    for record in records:
        who = record["userIdentity"]
        caller = who.get("arn") or who.get("invokedBy")
        answer = record["responseElements"] or {}
        if "credentials" in answer:
            issuers[answer["credentials"]["accessKeyId"]] = caller
        if record["eventName"] == "CreateRole":
            creators[answer["role"]["roleName"]] = (answer["role"]["arn"], caller)
        if record["eventName"] == "DeleteRole":
            deleted.add(record["requestParameters"]["roleName"])
    used = Counter(
        key
        for record in records
        if (key := record["userIdentity"].get("accessKeyId")) in issuers
    )
    gone = dict(pair for name, pair in creators.items() if name in deleted)
    return Facts(issuers, used, gone)


@pytest.fixture(scope="module")
def trail() -> Path:
    return shared("cloud-audit", "aws-invictus") / "CloudTrail"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trail") / "store"


@pytest.fixture
def store(kept: Path, trail: Path, ask: Ask) -> Path:
    """A store with the trail in it, made once; tests do not write to it."""
    if not kept.exists():
        answer = ask(kept, "ingest", f"cloudtrail:{trail}")
        assert answer.code == 0, answer.err
    return kept


def counts(item: dict[str, object]) -> dict[str, object]:
    names = ("read", "stored", "duplicate", "conflict", "quarantined")
    return {name: item[name] for name in names}


def test_the_trail_as_read_here_has_the_published_shape(trail: Path) -> None:
    known = facts()
    assert trail
    assert len(known.issuers) == 36
    assert (len(known.used), known.used.total()) == (8, 70)
    assert len(known.creators) == 13


def test_every_event_is_read_and_stored_and_a_second_time_none(
    tmp_path: Path, trail: Path, ask: Ask
) -> None:
    first = ask(tmp_path / "s", "ingest", f"cloudtrail:{trail}")
    again = ask(tmp_path / "s", "ingest", f"cloudtrail:{trail}")
    none = {"conflict": 0, "quarantined": 0}
    stored = {"read": EVENTS, "stored": EVENTS, "duplicate": 0, **none}
    known = {"read": EVENTS, "stored": 0, "duplicate": EVENTS, **none}
    assert (first.code, counts(first.items[0])) == (0, stored)
    assert (again.code, counts(again.items[0])) == (0, known)


def test_every_issued_credential_is_known_with_its_issuance(store: Path) -> None:
    query = "SELECT issued, identity FROM events WHERE issued LIKE 'cred:aws/ASIA%'"
    with EvidenceStore.open(store, now=NOW, create=False) as opened:
        rows = dict(opened.run_query(query))
    assert rows == {f"cred:aws/{key}": who for key, who in facts().issuers.items()}


def test_each_credential_used_later_traces_to_whoever_assumed(
    store: Path, ask: Ask
) -> None:
    known = facts()
    total = 0
    for key, events in known.used.items():
        items = ask(store, "trace", "--credential", f"cred:aws/{key}").items
        assert len(items) == events
        total += len(items)
        for item in items:
            path = item["identity_path"]
            hops: Any = item["hops"]
            assert isinstance(path, list)
            assert path[0] == known.issuers[key]
            assert path[-1] == hops["identity"]["value"]
            assert hops["identity"]["status"] == "observed"
            assert item["credential_from"]
    assert total == 70


def test_a_credential_issued_and_never_used_answers_with_no_events(
    store: Path, ask: Ask
) -> None:
    known = facts()
    idle = sorted(set(known.issuers) - set(known.used))
    assert len(idle) == 28
    for key in idle[:3]:
        answer = ask(store, "trace", "--credential", key)
        assert (answer.code, answer.items) == (0, [])


def test_a_role_deleted_inside_the_trail_still_answers(store: Path, ask: Ask) -> None:
    for role in facts().creators:
        items = ask(store, "trace", "--identity", role).items
        done = {str(item["hops"]["action"]["value"]) for item in items}  # type: ignore[index]
        assert {"iam:CreateRole", "iam:DeleteRole"} <= done, role
        if role == STOLEN:
            assert any(item["identity_path"][-1] == role for item in items)  # type: ignore[index]


def test_a_role_deleted_inside_the_trail_is_owned_by_evidence_of_its_creation(
    store: Path, ask: Ask
) -> None:
    for role, creator in facts().creators.items():
        (item,) = ask(store, "who-owns", role).items
        candidates: Any = item["candidates"]
        found = {e["kind"] for c in candidates for e in c["evidence"]}
        assert "creator" in found, role
        name = creator.rpartition("/")[2]
        assert name in json.dumps(candidates)


def test_the_store_verifies(store: Path, ask: Ask) -> None:
    answer = ask(store, "evidence", "verify")
    assert answer.code == 0
    assert all(item["ok"] for item in answer.items)


# One store with every kind of file: a sealed part, and a journal not sealed yet.


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, trail: Path) -> Path:
    root = tmp_path_factory.mktemp("whole") / "store"
    events = [
        event
        for batch in fetch.read(str(trail), EventContext())
        for event in batch.events
    ]
    with EvidenceStore.open(root, now=NOW) as opened:
        for part in (events[:1_000], events[1_000:2_000]):
            opened.append(part, NOW)
            opened.seal(NOW)
        opened.append(events[2_000:2_600], NOW)
        opened.append(events[2_600:], NOW)
    return root


KINDS = (
    "segments/**/*.parquet",
    "segments/**/*.leaves",
    "segments/**/*.manifest.json",
    "journal/*.log",
    "journal/*.head",
    "log/checkpoint",
    "log/tile/**/*",
)


def evidence_files(root: Path) -> Iterator[Path]:
    """Every file of the store that is evidence: not caches, not keys.

    A partial tile is redundant once a wider one stands beside it (C2SP tlog-tiles).
    """
    for path in sorted(root.rglob("*")):
        first = path.relative_to(root).parts[0]
        if first not in ("segments", "journal", "log", "objects"):
            continue
        if not path.is_file() or path.name == ".lock":
            continue
        if path.parent.suffix == ".p":
            widest = max(int(tile.name) for tile in path.parent.iterdir())
            if int(path.name) < widest:
                continue
        yield path


def offsets(size: int, most: int = 6) -> list[int]:
    """First, last and evenly spread offsets; all of a small file."""
    if size <= most:
        return list(range(size))
    return sorted({0, 1, size - 1, *(size * n // most for n in range(most))})


def test_every_kind_of_evidence_file_is_in_the_store_that_is_damaged(
    whole: Path,
) -> None:
    for pattern in KINDS:
        assert list(whole.glob(pattern)), pattern


def test_a_changed_byte_anywhere_is_found_and_its_place_is_named(
    whole: Path, ask: Ask
) -> None:
    assert ask(whole, "evidence", "verify").code == 0
    missed, unnamed = [], []
    for path in evidence_files(whole):
        content = path.read_bytes()
        for at in offsets(len(content)):
            changed = bytearray(content)
            changed[at] ^= 1 << at % 8
            path.write_bytes(bytes(changed))
            answer = ask(whole, "evidence", "verify")
            where = f"{path.relative_to(whole)} at {at}"
            if answer.code != 1:
                missed.append(f"{where}: exit code {answer.code} {answer.err}")
            elif not names_it(answer.items, path):
                unnamed.append(f"{where}: {answer.items}")
        path.write_bytes(content)
    assert not missed
    assert not unnamed
    assert ask(whole, "evidence", "verify").code == 0


def names_it(items: list[dict[str, object]], path: Path) -> bool:
    """Return whether a check that failed names the file or what it belongs to.

    A checkpoint that names another fingerprint key fails two checks.
    """
    failed = [item for item in items if not item["ok"]]
    said = " ".join(f"{item['check']} {item['detail']}" for item in failed)
    return any(word in said for word in (path.stem, path.name, path.parts[-2], "log"))


@pytest.mark.parametrize("kept_bytes", [0, 0.5, -1], ids=["empty", "half", "all-but-1"])
def test_a_file_cut_short_is_found(whole: Path, ask: Ask, kept_bytes: float) -> None:
    for path in evidence_files(whole):
        content = path.read_bytes()
        end = len(content) - 1 if kept_bytes < 0 else int(len(content) * kept_bytes)
        path.write_bytes(content[:end])
        assert ask(whole, "evidence", "verify").code == 1, path
        path.write_bytes(content)


def test_a_file_taken_away_is_found(whole: Path, ask: Ask) -> None:
    for path in evidence_files(whole):
        aside = path.with_name(path.name + ".aside")
        path.rename(aside)
        code = ask(whole, "evidence", "verify").code
        aside.rename(path)
        assert code == 1, path


def test_a_history_rewritten_with_the_stores_own_key_fails_an_exported_checkpoint(
    tmp_path: Path, trail: Path, ask: Ask
) -> None:
    true, forged = tmp_path / "true", tmp_path / "forged"
    signed = tmp_path / "checkpoint.txt"
    assert ask(true, "ingest", f"cloudtrail:{trail}").code == 0
    assert ask(true, "evidence", "checkpoint", "--export", str(signed)).code == 0
    EvidenceStore.open(forged, now=NOW).close()
    shutil.rmtree(forged / "keys")
    shutil.copytree(true / "keys", forged / "keys")
    (forged / "keys/log.pub").unlink()  # the same secret keys begin another log
    rewritten = tmp_path / "rewritten"
    shutil.copytree(trail, rewritten)
    for path in rewritten.iterdir():
        path.chmod(0o600)
        path.write_text(path.read_text().replace("user/bert-jan", "user/somebody"))
    assert ask(forged, "ingest", f"cloudtrail:{rewritten}").code == 0
    assert ask(forged, "evidence", "verify").code == 0
    assert ask(forged, "evidence", "verify", "--checkpoint", str(signed)).code == 1
    assert ask(true, "evidence", "verify", "--checkpoint", str(signed)).code == 0


def test_an_older_checkpoint_still_holds_after_more_was_appended(
    tmp_path: Path, trail: Path, ask: Ask
) -> None:
    first, *rest = sorted(trail.iterdir())
    signed = tmp_path / "checkpoint.txt"
    ask(tmp_path / "s", "ingest", f"cloudtrail:{first}")
    ask(tmp_path / "s", "evidence", "checkpoint", "--export", str(signed))
    ask(tmp_path / "s", "ingest", *(f"cloudtrail:{path}" for path in rest[:5]))
    held = ask(tmp_path / "s", "evidence", "verify", "--checkpoint", str(signed))
    assert held.code == 0
