"""Each role against each operation, and against what is one's own and what is not."""

import pytest

from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import PREFIX, ApiOperation
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER
from tests.web.api.conftest import told
from tests.web.conftest import visitor
from tests.web.dispatcher_harness import DispatcherHarness

VIEW, SEE, OWN, RUN = WebRole.VIEWER, WebRole.INVESTIGATOR, WebRole.OWNER, WebRole.ADMIN
ALL, DEEDS, EVERY = {VIEW, SEE, OWN, RUN}, {SEE, OWN, RUN}, {SEE, RUN}
MAY: dict[str, set[WebRole]] = {
    **dict.fromkeys(("agents", "identities", "credentials", "tools", "people"), ALL),
    **dict.fromkeys(("who-owns", "show", "tools-diff", "snapshots"), ALL),
    **dict.fromkeys(("coverage", "overview", "search", "changes"), ALL),
    **dict.fromkeys(("reach", "can", "who-can", "owner-keys"), ALL),
    **dict.fromkeys(("trace", "event", "decision", "decisions"), DEEDS),
    **dict.fromkeys(("reach-all", "what-if"), ALL),
    **dict.fromkeys(("trace-score", "trace-unmediated", "what-if-cuts"), EVERY),
    **dict.fromkeys(("trace-by", "trace-saved"), EVERY),
    **dict.fromkeys(("trace-first-seen", "trace-compare"), EVERY),
    **dict.fromkeys(("cases", "case", "case-bundle", "do-cases"), EVERY),
    **dict.fromkeys(("do-case-add", "do-case-note", "do-case-assign"), EVERY),
    **dict.fromkeys(("do-case-close", "do-trace-saved"), EVERY),
    "do-trace-saved-delete": EVERY,
    **dict.fromkeys(("trace-chains", "trace-facets"), DEEDS),
    **dict.fromkeys(("asks", "ask", "amendments", "requests"), DEEDS),
    **dict.fromkeys(("baselines", "baseline", "baseline-diff"), DEEDS),
    **dict.fromkeys(("baseline-replay", "baseline-check"), DEEDS),
    **dict.fromkeys(("evidence-checkpoint", "evidence-prove"), DEEDS),
    **dict.fromkeys(("evidence-bundle", "do-evidence-bundle-verify"), DEEDS),
    **dict.fromkeys(("findings", "findings-trend"), EVERY),
    **dict.fromkeys(("evidence-verify", "do-evidence-verify"), EVERY),
    "owners-sign": {OWN},
    "do-owners-sign": {OWN},
    **dict.fromkeys(("owners-requests", "do-owners-ask"), DEEDS),
    "people-merges": ALL,
    **dict.fromkeys(("do-people-merge", "do-people-split"), DEEDS),
    "sign": {OWN},
    "do-sign": {OWN},
    "do-kill": {OWN, RUN},
    "do-revive": {RUN},
    "sql": {RUN},
    "doctor": {RUN},
    "where": {RUN},
    "sts-rules": {RUN},
    "kills": {RUN},
}


def test_every_operation_has_been_decided_on() -> None:
    assert {each.operation_id for each in OPERATIONS} == MAY.keys()


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda e: e.operation_id)
def test_a_role_asks_what_it_may(here: DispatcherHarness, each: ApiOperation) -> None:
    target = f"{PREFIX}{each.path}"
    for role in WebRole:
        cookie, session = here.signed_in(role)
        if each.method == "GET":
            # A parameter that is not taken: nothing is asked, and who may is told of it.
            answer = here.get(f"{target}?none-of-ours=1", cookie=cookie)
        else:
            form = {"none-of-ours": "1", "csrf": session.csrf_token()}
            answer = here.post(target, form, cookie)
        status = 400 if role in MAY[each.operation_id] else 404
        assert answer.status == status, (role, answer.text)


OWNERS = {
    ANA: Visitor(ANA, frozenset({WebRole.OWNER}), frozenset({AGENT})),
    BEN: Visitor(BEN, frozenset({WebRole.OWNER}), frozenset({OTHER})),
}
SEES = [
    (OWNERS[ANA], True),
    (OWNERS[BEN], False),
    (visitor(WebRole.OWNER), False),
    (visitor(WebRole.INVESTIGATOR), True),
    (visitor(WebRole.ADMIN), True),
    (visitor(WebRole.VIEWER), False),
]


@pytest.mark.parametrize(("visit", "sees"), SEES)
@pytest.mark.parametrize("path", ["/decisions", "/asks"])
def test_deeds_of_others_are_not_listed(
    owned: tuple[StoreCache, str], path: str, visit: Visitor, sees: bool
) -> None:
    desk, decision = owned
    told_of = told(desk, visit, path, since="90d") if path == "/asks" else None
    answer = told_of or told(desk, visit, path)
    ids = [item["id"] for item in answer.document.items]
    assert ids == ([decision] if sees else [])
    assert not answer.after


@pytest.mark.parametrize(("visit", "sees"), SEES)
@pytest.mark.parametrize("path", ["/decision", "/ask"])
def test_deeds_of_others_are_as_if_there_were_none(
    owned: tuple[StoreCache, str], path: str, visit: Visitor, sees: bool
) -> None:
    desk, decision = owned
    if sees:
        items = told(desk, visit, path, id=decision).document.items
        assert [item["agent"] for item in items] == [AGENT]
        return
    said = []
    for each in (decision, "0" * 32):
        with pytest.raises(Forbidden) as caught:
            told(desk, visit, path, id=each)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.fixture(scope="module")
def acted(desk: StoreCache) -> tuple[str, str]:
    """An agent of the sample, and an event of its."""
    every = told(desk, visitor(WebRole.INVESTIGATOR), "/trace", limit="1000").document
    for item in every.items:
        agents = item["agent_path"]
        if isinstance(agents, list) and agents:
            return str(agents[-1]), str(item["event_id"])
    raise AssertionError("the sample has no event of an agent")


@pytest.mark.parametrize("path", ["/event", "/evidence/prove", "/evidence/bundle"])
def test_records_of_others_are_neither_shown_nor_proved(
    desk: StoreCache, acted: tuple[str, str], path: str
) -> None:
    agent, event = acted
    mine, others = (
        visitor(WebRole.OWNER, owns=(agent,)),
        visitor(WebRole.OWNER, owns=("x",)),
    )
    assert len(told(desk, mine, path, id=event).document.items) == 1
    with pytest.raises(Forbidden):
        told(desk, others, path, id=event)


def test_rows_of_others_are_left_out_of_a_trace(
    desk: StoreCache, acted: tuple[str, str]
) -> None:
    agent, _ = acted
    mine = told(desk, visitor(WebRole.OWNER, owns=(agent,)), "/trace", limit="1000")
    every = told(desk, visitor(WebRole.INVESTIGATOR), "/trace", limit="1000")
    theirs = told(desk, visitor(WebRole.OWNER, owns=("x",)), "/trace")
    assert 0 < len(mine.document.items) < len(every.document.items)
    assert theirs.document.items == []
    for item in mine.document.items:
        assert agent in [*item["agent_path"], *item["identity_path"]]  # type: ignore[misc]


def test_an_owners_keys_alone_are_listed_to_them(owned: tuple[StoreCache, str]) -> None:
    desk, _ = owned
    assert len(told(desk, visitor(WebRole.ADMIN), "/owner-keys").document.items) == 2
    (own,) = told(desk, OWNERS[ANA], "/owner-keys").document.items
    assert own["person"] == ANA
    assert told(desk, visitor(WebRole.VIEWER), "/owner-keys").document.items == []
