"""Findings are accepted, reopened and assigned on their page, each with a signature."""

import html

import pytest

from answerable.model.errors import UsageError
from answerable.web.pages.findings import findings
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.usecases.owned_store import ANA, BEN
from tests.web.conftest import shown
from tests.web.signing.owner_store import INVESTIGATOR, OWNER
from tests.web.signing.test_signing import signed

REVIEWER = Visitor(ANA, frozenset({WebRole.OWNER, WebRole.INVESTIGATOR}), csrf="c")


@pytest.fixture
def finding(desk: StoreCache) -> str:
    """An open finding of the store: agents without an owner."""
    listed = findings(desk).items
    return next(each["id"] for each in listed if each["state"] == "open")


def test_a_finding_is_accepted_for_a_time_and_opened_again(
    desk: StoreCache, finding: str
) -> None:
    assert "Accept it" in shown(desk, REVIEWER, "/finding", id=finding)
    said = {"act": "accept-finding", "id": finding, "reason": "moved <in> March"}
    page = shown(desk, REVIEWER, "/sign", **said)
    assert "moved &lt;in&gt; March" in page
    assert "answerable findings suppress" in html.unescape(page)
    assert signed(desk, REVIEWER, **said).location.startswith("/finding?id=")
    page = shown(desk, REVIEWER, "/finding", id=finding)
    assert "suppressed" in page
    assert "moved &lt;in&gt; March" in page
    assert "Open it again" in page
    signed(desk, REVIEWER, act="reopen-finding", id=finding)
    assert "suppressed" not in shown(desk, REVIEWER, "/finding", id=finding)


def test_a_finding_is_assigned_to_a_person_and_to_nobody(
    desk: StoreCache, finding: str
) -> None:
    signed(desk, REVIEWER, act="assign-finding", id=finding, assignee=BEN)
    page = shown(desk, REVIEWER, "/finding", id=finding)
    assert "assigned to" in page
    assert BEN in page
    signed(desk, REVIEWER, act="assign-finding", id=finding)
    assert "<dt>assigned to" not in shown(desk, REVIEWER, "/finding", id=finding)


def test_an_assignee_that_no_scan_contains_is_a_warning(
    desk: StoreCache, finding: str
) -> None:
    warning = "Warning: no scan contains person:nobody@corp.example: check the spelling"
    for person, warned in (("nobody@corp.example", True), (BEN, False)):
        page = shown(
            desk, REVIEWER, "/sign", act="assign-finding", id=finding, assignee=person
        )
        assert (warning in page) == warned


@pytest.mark.parametrize("visit", [OWNER, INVESTIGATOR])
def test_only_who_sees_findings_and_signs_may_review(
    desk: StoreCache, finding: str, visit: Visitor
) -> None:
    with pytest.raises(Forbidden):
        shown(desk, visit, "/sign", act="reopen-finding", id=finding)
    if visit is INVESTIGATOR:
        assert "Accept it" not in shown(desk, visit, "/finding", id=finding)


def test_an_acceptance_needs_a_reason_and_a_known_finding(
    desk: StoreCache, finding: str
) -> None:
    with pytest.raises(UsageError, match="reason"):
        shown(desk, REVIEWER, "/sign", act="accept-finding", id=finding)
    for other in ("", "finding:none/0000000000000000", "x"):
        with pytest.raises(Forbidden):
            shown(desk, REVIEWER, "/sign", act="reopen-finding", id=other)
    skipped = [e["id"] for e in findings(desk).items if e["state"] == "not-evaluated"]
    for other in skipped[:1]:
        with pytest.raises(Forbidden):
            shown(desk, REVIEWER, "/sign", act="reopen-finding", id=other)
