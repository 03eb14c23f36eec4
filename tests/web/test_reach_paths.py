"""The paths of a subject, one by one; choke points, risks and cuts."""

from itertools import pairwise
from typing import Any

import pytest

from answerable.web.pages.reach.choke_points import find_choke_points
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.conftest import answer, shown
from tests.web.markup_checks import markup_faults

REPORTER = "agent:claude-code/ana/reporter"
REPORT_BOT = "arn:aws:iam::111122223333:user/report-bot"
DATA_READER = "arn:aws:iam::111122223333:role/data-reader"


def test_paths_are_listed_without_their_rows_and_opened_one_by_one(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/reach", subject=REPORTER, rows="none")
    assert ">why<" not in html
    role = "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdata-reader"
    assert f"to={role}" in html
    opened = shown(desk, viewer, "/reach", subject=REPORTER, to=DATA_READER)
    assert "Only as" in opened
    assert opened.count(">why<") > 1
    assert "s3:PutObject" not in opened
    # Steps that several paths have in common come before the paths.
    assert html.index("Choke points") < html.index('<table class="cards rows"')


def test_the_step_before_administrators_is_the_first_choke_point() -> None:
    statement = {
        "layer": "identity",
        "policy": "p",
        "statement": "1",
        "effect": "allow",
    }

    def item(*names: str, admin: bool = False) -> Any:
        steps = [
            {"from": a, "via": "sts:AssumeRole", "to": b, "determining": [statement]}
            for a, b in pairwise(names)
        ]
        return {"subject": names[0], "path": steps, "admin": admin}

    rows = [item("s", "a", n) for n in "xyz"]
    rows += [item("s", "b", n, admin=n == "v") for n in "uv"]
    first, second = find_choke_points(rows, ReachQuestion("s"))
    assert (first.step["to"], len(first.ends), first.administrators) == ("b", 2, 1)
    assert (second.step["to"], len(second.ends), second.administrators) == ("a", 3, 0)
    assert first.what_if == "/what-if?subject=s&without0=p%231"


def test_a_path_from_one_identity_to_another_exists_or_not(
    desk: StoreCache, viewer: Visitor
) -> None:
    there = answer(desk, viewer, "/reach", subject=REPORT_BOT, to=DATA_READER)
    back = shown(desk, viewer, "/reach", subject=DATA_READER, to=REPORT_BOT)
    assert isinstance(there, PageAnswer)
    ways = there.values["answer"]["ways"]  # type: ignore[index]  # of a test
    assert [each["steps"][0]["via"] for each in ways] == ["sts:AssumeRole"]
    assert "No path in the collected data leads there" in back


def test_of_very_many_identities_no_path_is_left_out_silently(
    desk: StoreCache, viewer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_FOLLOWED", 3)
    html = shown(desk, viewer, "/reach", subject=REPORT_BOT, to=DATA_READER)
    assert "too many identities to follow the paths" in html
    assert "No path in the collected data" not in html
    page = answer(desk, viewer, "/reach/all")
    assert isinstance(page, PageAnswer)
    assert page.status == 200  # the link of the navigation is no dead one
    html = shown(desk, viewer, "/reach/all")
    assert "too many identities to follow every path" in html
    assert "answerable reach --all" in html


def test_identities_that_are_a_risk_come_gravest_first(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/reach/all")
    assert html.index("administrators") < html.rindex("role/")
    assert "rows=none" in html
    assert markup_faults(html) == []


def test_the_smallest_cuts_of_an_access_lead_to_their_changes(
    desk: StoreCache, admin: Visitor
) -> None:
    said = {"subject": REPORT_BOT, "resource": "s3://example-customer-data/*"}
    html = shown(desk, admin, "/what-if/cuts", **said)
    assert "logged calls that end" in html
    assert "/what-if?subject=" in html
    assert markup_faults(html) == []
    assert "Enter a subject and a resource" in shown(desk, admin, "/what-if/cuts")
