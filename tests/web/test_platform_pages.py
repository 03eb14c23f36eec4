"""Pages on permissions show paths over GitHub, AWS and a cluster."""

import html as markup
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.estate.four_platforms import (
    ANYBODY,
    BUCKET,
    BUILDER,
    CLUSTER,
    DEPLOY,
    DEPLOYER,
    LEDGER,
    REPORTS,
    RUN,
    write_estate,
)
from tests.web.conftest import answer, shown

AGENT = "agent:claude-code/dana"
CALL = {"action": "s3:GetObject", "resource": BUCKET}
PATH = (RUN, DEPLOY, DEPLOYER, REPORTS, LEDGER)


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    """Store of an estate on four platforms."""
    root = tmp_path_factory.mktemp("platforms")
    store = str(root / "store")
    assert main(["--store", store, "--quiet", "scan", *write_estate(root)]) == 0
    cache = StoreCache(Path(store))
    yield cache
    cache.close()


def contains_path(text: str, path: tuple[str, ...]) -> bool:
    """Return whether a page names the identities of a path, in order."""
    place = 0
    for each in path:
        place = text.find(each, place)
        if place < 0:
            return False
    return True


def unescape(text: str) -> str:
    """Return the text of a page without tags and wrap marks."""
    return markup.unescape(re.sub(r"<[^>]*>", "", text))


def test_the_proof_of_an_outsider_leads_over_four_platforms(
    platforms: StoreCache, viewer: Visitor
) -> None:
    page = unescape(shown(platforms, viewer, "/can", subject=ANYBODY, **CALL))
    assert contains_path(page, PATH)
    assert "only-if" in page
    assert "RoleBinding apps/pod-makers: Role apps/pod-maker rule 1" in page
    assert f"access entry {DEPLOY}: user deployer" in page


def test_an_agent_reaches_identities_of_both_platforms(
    platforms: StoreCache, viewer: Visitor
) -> None:
    page = shown(platforms, viewer, "/reach", subject=AGENT)
    assert '<svg class="drawn paths"' in page
    text = unescape(page)
    assert contains_path(text, (BUILDER, REPORTS, LEDGER))
    assert f"k8s:{CLUSTER}/apps/serviceaccounts/*/token" in text
    assert "s3:GetObject" in text


def test_callers_of_a_bucket_are_of_all_platforms_with_their_agents(
    platforms: StoreCache, viewer: Visitor
) -> None:
    page = unescape(shown(platforms, viewer, "/who-can", **CALL))
    for subject in (ANYBODY, DEPLOY, DEPLOYER, REPORTS, BUILDER, "dana"):
        assert subject in page


@pytest.mark.parametrize("subject", [AGENT, ANYBODY])
def test_each_offered_statement_can_be_removed_on_the_what_if_page(
    platforms: StoreCache, viewer: Visitor, subject: str
) -> None:
    page = shown(platforms, viewer, "/reach", subject=subject, **CALL)
    offered = re.findall(r'name="without\d+" value="([^"]*)"', page)
    assert offered
    for each in map(markup.unescape, offered):
        asked = answer(
            platforms, viewer, "/what-if", subject=subject, **CALL, without0=each
        )
        assert isinstance(asked, PageAnswer)
        assert asked.status == 200, (each, asked.values["problem"])
        result = asked.values["answer"]
        assert isinstance(result, dict)
        (row,) = (r for r in result["rows"] if r["resource"] == BUCKET)
        assert row["change"] == "falls-away"
