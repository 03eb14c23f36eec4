"""Lists of what there is: filtered, ordered, paged, and given as files."""

import json
from collections.abc import Iterator

import pytest

from answerable.model.errors import UsageError
from answerable.store.store import EvidenceStore
from answerable.web.routing import FileDownload
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults

LISTS = ("agents", "identities", "credentials", "tools", "people")


@pytest.mark.parametrize("kind", LISTS)
def test_each_list_shows_its_rows_and_what_it_rests_on(
    desk: StoreCache, viewer: Visitor, kind: str
) -> None:
    page = shown(desk, viewer, f"/{kind}")
    assert markup_faults(page) == []
    assert page.count("<tr>") > 2
    assert "coverage:" in page
    assert f'action="/{kind}"' in page


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_looked_for_comes_back_as_text(
    desk: StoreCache, viewer: Visitor, kind: str, text: str
) -> None:
    assert markup_faults(shown(desk, viewer, f"/{kind}", q=text)) == []
    if kind in ("people", "tools"):  # their kinds are known
        with pytest.raises(UsageError):
            shown(desk, viewer, f"/{kind}", kind=text)
    else:
        assert markup_faults(shown(desk, viewer, f"/{kind}", kind=text)) == []
    with pytest.raises(UsageError):
        shown(desk, viewer, f"/{kind}", sort=text)
    with pytest.raises(UsageError):
        shown(desk, viewer, f"/{kind}", after=text)


def test_agents_are_found_by_owner_state(desk: StoreCache, viewer: Visitor) -> None:
    every = answer(desk, viewer, "/agents", **{"as": "json"})
    assert isinstance(every, FileDownload)
    items = json.loads(every.body)["items"]
    state = items[0]["owner"]["state"]
    some = answer(desk, viewer, "/agents", **{"as": "json", "owner-state": state})
    assert isinstance(some, FileDownload)
    assert json.loads(some.body)["items"] == [
        item for item in items if item["owner"]["state"] == state
    ]


@pytest.mark.parametrize("kind", LISTS)
def test_each_list_is_ordered_by_each_of_its_columns(
    desk: StoreCache, viewer: Visitor, kind: str
) -> None:
    from answerable.web.pages import inventory_list_definitions

    for order in getattr(inventory_list_definitions, kind)(desk).shape.orders:
        up = answer(desk, viewer, f"/{kind}", **{"sort": order, "as": "json"})
        down = answer(desk, viewer, f"/{kind}", **{"sort": f"-{order}", "as": "json"})
        assert isinstance(up, FileDownload)
        assert isinstance(down, FileDownload)
        items = json.loads(up.body)["items"]
        assert items == json.loads(down.body)["items"][::-1]
        assert markup_faults(shown(desk, viewer, f"/{kind}", sort=order)) == []


def test_a_formula_is_text_in_a_file(desk: StoreCache, viewer: Visitor) -> None:
    made = answer(desk, viewer, "/tools", **{"as": "csv"})
    assert isinstance(made, FileDownload)
    lines = made.body.decode().split("\r\n")
    assert lines[0].startswith("id,agent,credential_id,credential_kind")
    assert not [line for line in lines if line.startswith(("=", "+", "-", "@"))]
    assert made.name == "tools.csv"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    place = tmp_path_factory.mktemp("nothing") / "store"
    EvidenceStore.open(place, now=1).close()
    desk = StoreCache(place)
    yield desk
    desk.close()


@pytest.mark.parametrize("kind", LISTS)
def test_an_empty_store_says_what_would_fill_it(nothing: StoreCache, kind: str) -> None:
    page = shown(nothing, visitor(WebRole.VIEWER), f"/{kind}")
    assert "answerable scan" in page
    assert "<table" not in page
    assert "nothing scanned yet" in page


def test_credentials_are_listed_with_their_agents_and_tools(
    desk: StoreCache, viewer: Visitor
) -> None:
    made = answer(desk, viewer, "/credentials", **{"as": "json"})
    assert isinstance(made, FileDownload)
    used = [item for item in json.loads(made.body)["items"] if item["tools"]]
    assert used
    page = shown(desk, viewer, "/credentials")
    for head in ("agents", "tools"):
        assert f">{head}</a></th>" in page
    for item in used[:3]:
        assert item["agents"][0] in page
        assert item["tools"][0][:20] in page


def test_a_number_that_is_not_known_is_no_empty_cell(
    desk: StoreCache, viewer: Visitor
) -> None:
    page = shown(desk, viewer, "/identities")
    row = next(each for each in page.split("<tr>") if "lambda-admin" in each)
    assert 'data-th="keys"><span class="unknown">not known</span>' in row
