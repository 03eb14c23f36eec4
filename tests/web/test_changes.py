"""Changes between two scans on a page: none, some, and those that cannot be compared."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.web.http.errors import RequestRejected
from answerable.web.store_cache import StoreCache
from tests.web.api.conftest import ask, told
from tests.web.conftest import shown


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    """The sample scanned twice: then with the account, and with an agent less."""
    place = tmp_path_factory.mktemp("twice")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write_sample(Path(), time.time_ns())
        scan = ("--quiet", "--store", "store", "scan", "home:home/ana")
        assert main(scan) == 0
        Path("home/ana/.claude/agents/reporter.md").unlink()
        assert main([*scan, "aws:aws/account.json"]) == 0
    made = StoreCache(place / "store")
    yield made
    made.close()


def test_a_single_scan_has_nothing_to_compare(desk, viewer) -> None:
    page = shown(desk, viewer, "/changes")
    assert "two scans are needed (got 1)" in page
    assert "answerable scan" in page


def test_changes_of_the_newest_scan_are_listed(twice, viewer) -> None:
    page = shown(twice, viewer, "/changes")
    assert "claude-code/ana/reporter" in page
    items = told(twice, viewer, "/changes").document.items
    assert {"removed", "not-comparable"} <= {item["change"] for item in items}


def test_what_a_scan_did_not_collect_is_never_added_by_the_next(twice, viewer) -> None:
    items = told(twice, viewer, "/changes", limit="1000").document.items
    added = {item["subject"] for item in items if item["change"] == "added"}
    assert not {each for each in added if each.startswith("arn:aws:iam")}
    assert "not known" in shown(twice, viewer, "/changes")


def test_changes_are_listed_by_kind(twice, viewer) -> None:
    page = shown(twice, viewer, "/changes", kind="agent")
    assert "<strong>agent</strong>" in page


def test_an_unknown_snapshot_of_a_single_scan_is_named(desk, viewer) -> None:
    pair = {"before": "a", "after": "b"}
    page = shown(desk, viewer, "/changes", **pair)
    assert "unknown snapshot (got &#39;a&#39;)" in page
    assert "two scans are needed" not in page


def test_an_unknown_snapshot_is_refused(twice, viewer) -> None:
    assert "unknown snapshot" in shown(twice, viewer, "/changes", before="../../x")
    with pytest.raises(RequestRejected) as caught:
        ask(twice, viewer, "/changes", before="git:HEAD")
    assert caught.value.status == 422
    assert "unknown snapshot" in caught.value.says
