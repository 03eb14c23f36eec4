"""The agents of a configuration are in the inventory after a call, without a scan."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from answerable.cli.app import app
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from tests.gateway.stdio.wrapper_fixture import call, said, settings, wrapper

NOW = 1_900_000_000 * 10**9
AGENT, ANA = "agent:declared/desktop", "person:ana@example.com"


def ask(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The items that a command answers."""
    store = str(folder / "store")
    found = CliRunner().invoke(app, [*words, "--store", store, "-o", "json"])
    assert found.exit_code in (0, 3), found.output
    items: list[dict[str, Any]] = json.loads(found.stdout)["items"]
    return items


def play(folder: Path, config: dict[str, Any] | None = None) -> None:
    """One call through the wrapper, and its end."""
    with wrapper(folder, config=config) as wrapped:
        assert said(wrapped.ask(call("echo")))["line"]
        assert wrapped.end() == 0


def owned(folder: Path) -> list[str]:
    """Status and person of the first hop of each call."""
    return [each["hops"]["person"]["value"] for each in ask(folder, "trace")]


def test_after_one_call_the_agent_and_its_owner_are_known(tmp_path: Path) -> None:
    play(tmp_path)
    (agent,) = ask(tmp_path, "agents")
    assert agent["id"] == AGENT
    (ownership,) = ask(tmp_path, "who-owns", "desktop")
    assert ownership["person"] == ANA
    assert set(owned(tmp_path)) == {ANA}


def test_an_unchanged_configuration_is_recorded_once(tmp_path: Path) -> None:
    play(tmp_path)
    play(tmp_path)
    with EvidenceStore.open(tmp_path / "store", now=NOW, create=False) as store:
        assert len(snapshots.list_snapshots(store)) == 1


def test_a_changed_owner_holds_from_the_first_call_under_it(tmp_path: Path) -> None:
    play(tmp_path)
    changed = settings()
    changed["agents"]["desktop"]["owner"] = "bob@example.com"
    play(tmp_path, changed)
    assert sorted(owned(tmp_path)) == [ANA, "person:bob@example.com"]


@pytest.mark.parametrize("owner", ["", "ana@example.com"])
def test_a_person_is_missing_unless_the_file_names_one(
    tmp_path: Path, owner: str
) -> None:
    config = settings()
    del config["agents"]["desktop"]["owner"]
    if owner:
        config["agents"]["desktop"]["owner"] = owner
    play(tmp_path, config)
    assert owned(tmp_path) == ([f"person:{owner}"] if owner else [""])
