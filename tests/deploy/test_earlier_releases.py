"""A store and a control database of each earlier release open and answer the same."""

import json
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from answerable.store.store_layout import STORE_SCHEMA
from answerable.store.store_migration import migrate_store
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.deploy.release_fixture import FOLDER, QUESTIONS, ask
from tests.store.token_state.sample_rows import NOW, signing_key

RELEASES = sorted(path.name.removesuffix(".tar.gz") for path in FOLDER.glob("*.tar.gz"))


@pytest.fixture(params=RELEASES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(FOLDER / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / request.param / "store" / "keys").chmod(0o700)
    return tmp_path / str(request.param)


def test_there_is_a_fixture() -> None:
    assert "0.1.0" in RELEASES


def test_its_store_migrates_and_gives_the_same_rows(folder: Path) -> None:
    expected = json.loads((folder / "answers.json").read_text())
    assert migrate_store(folder / "store")[1] == STORE_SCHEMA
    for words in QUESTIONS:
        code, items = ask(folder / "store", words)
        former_code, former = expected[" ".join(words)]
        # A later release may add fields.
        kept = [
            {name: item[name] for name in old}
            for item, old in zip(items, former, strict=True)
        ]
        for item, old in zip(kept, former, strict=True):
            take_owner_score(item, old)
            take_unknown_owner(item, old)
            take_explanations(item, old)
        assert [code, kept] == [former_code, former], words
        assert items


def take_owner_score(item: Any, old: Any) -> None:
    """Compare the score of an owner, which falls with the age of its evidence."""
    if "owner" in old:
        score, former = item["owner"].pop("score"), old["owner"].pop("score")
        assert (score > 0) == (former > 0)
        assert score <= former


def take_unknown_owner(item: Any, old: Any) -> None:
    """Compare without a "none" that is now "not known": no scan describes the identity."""
    if old.get("owner", {}).get("state") == "none":
        old["owner"].pop("state")
        assert item["owner"].pop("state") in ("none", "not-known")


def take_explanations(item: Any, old: Any) -> None:
    """Compare missing hops without the sentence that says what would supply them."""
    for name, former in old.get("hops", {}).items():
        if former["status"] == "missing":
            assert item["hops"][name].pop("source")
            assert former.pop("source")


def test_its_control_database_opens_and_continues(folder: Path) -> None:
    with closing(SqliteTokenState(folder / "sts", NOW)) as state:
        (key,) = state.list_signing_keys()
        assert key.kid == "kid-1"
        state.publish_signing_key(signing_key("kid-2"))
        assert len(state.list_signing_keys()) == 2
        assert len(state.revoke_all(NOW).delegations) == 3
