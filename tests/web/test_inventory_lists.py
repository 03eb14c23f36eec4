"""Lists of what there is: filtered, ordered, paged, and given as files."""

import json
from collections.abc import Iterator

import pytest

from answerable.model.errors import UsageError
from answerable.store.store import Store
from answerable.web.routing import File
from answerable.web.store_cache import Desk
from answerable.web.visitor import Role, Visit
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, faults

LISTS = ("agents", "identities", "credentials", "tools", "people")


@pytest.mark.parametrize("kind", LISTS)
def test_each_list_shows_its_rows_and_what_it_rests_on(
    desk: Desk, viewer: Visit, kind: str
) -> None:
    page = shown(desk, viewer, f"/{kind}")
    assert faults(page) == []
    assert page.count("<tr>") > 2
    assert "coverage:" in page
    assert f'action="/{kind}"' in page


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_looked_for_comes_back_as_text(
    desk: Desk, viewer: Visit, kind: str, text: str
) -> None:
    assert faults(shown(desk, viewer, f"/{kind}", q=text)) == []
    assert faults(shown(desk, viewer, f"/{kind}", kind=text)) == []
    with pytest.raises(UsageError):
        shown(desk, viewer, f"/{kind}", sort=text)
    with pytest.raises(UsageError):
        shown(desk, viewer, f"/{kind}", after=text)


def test_agents_are_found_by_owner_state(desk: Desk, viewer: Visit) -> None:
    every = answer(desk, viewer, "/agents", **{"as": "json"})
    assert isinstance(every, File)
    items = json.loads(every.body)["items"]
    state = items[0]["owner"]["state"]
    some = answer(desk, viewer, "/agents", **{"as": "json", "owner-state": state})
    assert isinstance(some, File)
    assert json.loads(some.body)["items"] == [
        item for item in items if item["owner"]["state"] == state
    ]


@pytest.mark.parametrize("kind", LISTS)
def test_each_list_is_ordered_by_each_of_its_columns(
    desk: Desk, viewer: Visit, kind: str
) -> None:
    from answerable.web.pages import inventory_listings

    for order in getattr(inventory_listings, kind)(desk).shape.orders:
        up = answer(desk, viewer, f"/{kind}", **{"sort": order, "as": "json"})
        down = answer(desk, viewer, f"/{kind}", **{"sort": f"-{order}", "as": "json"})
        assert isinstance(up, File)
        assert isinstance(down, File)
        items = json.loads(up.body)["items"]
        assert items == json.loads(down.body)["items"][::-1]
        assert faults(shown(desk, viewer, f"/{kind}", sort=order)) == []


def test_a_formula_is_text_in_a_file(desk: Desk, viewer: Visit) -> None:
    made = answer(desk, viewer, "/tools", **{"as": "csv"})
    assert isinstance(made, File)
    lines = made.body.decode().split("\r\n")
    assert lines[0].startswith("id,agent,server")
    assert not [line for line in lines if line.startswith(("=", "+", "-", "@"))]
    assert made.name == "tools.csv"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    place = tmp_path_factory.mktemp("nothing") / "store"
    Store.open(place, now=1).close()
    desk = Desk(place)
    yield desk
    desk.close()


@pytest.mark.parametrize("kind", LISTS)
def test_an_empty_store_says_what_would_fill_it(nothing: Desk, kind: str) -> None:
    page = shown(nothing, visitor(Role.VIEWER), f"/{kind}")
    assert "answerable scan" in page
    assert "<table" not in page
    assert "nothing scanned yet" in page


def test_credentials_are_listed_with_their_agents_and_tools(
    desk: Desk, viewer: Visit
) -> None:
    made = answer(desk, viewer, "/credentials", **{"as": "json"})
    assert isinstance(made, File)
    used = [item for item in json.loads(made.body)["items"] if item["tools"]]
    assert used
    page = shown(desk, viewer, "/credentials")
    for head in ("agents", "tools"):
        assert f">{head}</th>" in page
    for item in used[:3]:
        assert item["agents"][0] in page
        assert item["tools"][0][:20] in page
