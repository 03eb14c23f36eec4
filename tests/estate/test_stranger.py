"""A stranger's home, in the layout of each operating system: one listing for all."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask
from tests.estate.stranger import (
    PATHS,
    SYSTEMS,
    linux_place,
    write_account,
    write_home,
)

LISTING = Path(__file__).with_name("stranger.json")
BUCKET = "arn:aws:s3:::customer-data/report.csv"


@pytest.fixture
def listing(tmp_path: Path, ask: Ask) -> Any:
    def run(system: str) -> dict[str, Any]:
        home = write_home(tmp_path, system)
        account = write_account(tmp_path / "account.json")
        store = tmp_path / system / "store"
        assert ask(store, "scan", f"home:{home}", f"aws:{account}").code == 0
        return {
            "agents": _agents(ask(store, "agents").items),
            "tools": _tools(ask(store, "tools").items),
            "identities": _identities(ask(store, "identities").items),
            "credentials": _credentials(ask(store, "credentials").items, home, system),
            "owners": {
                item["id"]: [item["owner"]["state"], item["owner"]["person"]]
                for item in ask(store, "identities").items
            },
            "people": [
                [item["id"], item["aliases"]] for item in ask(store, "people").items
            ],
            "reach": _reach(ask, store),
        }

    return run


def _agents(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        item["id"]: {
            "unattended": item["unattended"],
            "owner": item["owner"]["person"],
            "identities": item["identities"],
        }
        for item in items
    }


def _tools(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{item['agent']} {item['id']}": {
            "transport": item["transport"],
            "target": item["target"],
            "unattended": item["unattended"],
            "identities": item["identities"],
        }
        for item in items
    }


def _identities(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        item["id"]: [item["kind"], item["permissions"], item["agents"]]
        for item in items
    }


def _credentials(items: list[dict[str, Any]], home: Path, system: str) -> list[Any]:
    """List credentials without the ids that are fingerprints of a store's own key."""
    found = []
    for item in items:
        places = [
            linux_place(place["place"].removeprefix(f"{home}/"), system)
            for place in item["places"]
        ]
        proves = item["identity"] or item["how"]
        tools = sorted(item["tools"])
        shown = [item["kind"], item["class"], item["hint"], proves, tools]
        found.append([sorted(places), *shown])
    return sorted(found)


def _reach(ask: Ask, store: Path) -> dict[str, str]:
    """Say of each agent and identity whether it can delete an object."""
    subjects = [item["id"] for item in ask(store, "agents").items]
    subjects += [item["id"] for item in ask(store, "identities").items]
    found = {}
    for subject in subjects:
        (item,) = ask(store, "can", subject, "s3:DeleteObject", BUCKET).items
        found[subject] = item["verdict"]
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_listing_is_the_same_in_every_layout(
    system: str, listing: Any, tmp_path: Path
) -> None:
    assert listing(system) == json.loads(LISTING.read_text())


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_value_of_the_home_is_shown_or_stored(
    system: str, listing: Any, tmp_path: Path
) -> None:
    shown = json.dumps(listing(system))
    assert "CANARY" not in shown
    for path in (tmp_path / system / "store").rglob("*"):
        assert not path.is_file() or b"CANARY" not in path.read_bytes(), path


def test_the_layouts_differ() -> None:
    assert sum(len(set(paths)) > 1 for paths in PATHS.values()) >= 9
