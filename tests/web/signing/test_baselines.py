"""A baseline is read by consequence, signed step by step, and held to what was recorded."""

import re
from dataclasses import replace

import pytest
from msgspec import structs

from answerable.baseline.profile_document import encode_profile
from answerable.model.baseline import BaselineProfile, BaselineStage
from answerable.model.errors import UsageError, VerificationError
from answerable.services.baseline.profile_learning import BASELINE
from answerable.services.statements.signed_baselines import SIGNED_BASELINE
from answerable.store.monitored_call_queries import find_window_start
from answerable.usecases.baseline import manage_profiles
from answerable.web.pages import baselines
from answerable.web.routing import Forbidden, PageAnswer, Redirect
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.baseline.bank_scenario import (
    ALICE,
    BILLS,
    EVE,
    PAY,
    SUBJECT,
    learned,
    step,
)
from tests.baseline.watched_work import record_work
from tests.connectors.gateway.spool_files import (
    CALLER,
    closed,
    spelled,
    write,
)
from tests.inventory.fact_builders import DAY
from tests.usecases.owned_store import AGENT, BEN, OTHER, A
from tests.web.conftest import answer, shown
from tests.web.markup_checks import HOSTILE, markup_faults
from tests.web.signing.owner_store import (
    INVESTIGATOR,
    LATER,
    OWNER,
    FrozenStoreCache,
    owner,
)
from tests.web.signing.test_signing import drafts, envelope, signed

PAYS = (step(BILLS, f"pay {ALICE}", name="bill"), step(PAY, to=ALICE, amount=20))
ELSEWHERE = (step(PAY, to=EVE, amount=20),)


def profile(agent: str = AGENT, **said: object) -> BaselineProfile:
    made = learned(PAYS, asked=f"pay {ALICE}")
    subject = structs.replace(SUBJECT, agent=agent)
    return structs.replace(made, subject=subject, **said)


def kept(desk: StoreCache, made: BaselineProfile) -> str:
    with desk.open_store() as store:
        return store.put_object(BASELINE, encode_profile(made), desk.now)


def worked(desk: StoreCache, *scripts: tuple[object, ...]) -> None:
    """Have the agent work, watched; its calls lie in the store."""
    from answerable.usecases.evidence import ship_spool

    runs = [
        (
            script,
            LATER - (day + 1) * DAY,
            replace(CALLER, agent=AGENT, run=f"run-{day}"),
        )
        for day, script in enumerate(scripts)
    ]
    records = record_work(runs, f"pay {ALICE}", untrusted=True)
    write(desk.spools[0], spelled([*records, closed(len(records) + 1)]))
    with desk.open_store() as store:
        ship_spool.ship_spool(store, desk.spools[0], now=desk.now)


def state(desk: StoreCache) -> list[tuple[object, object]]:
    page = answer(desk, OWNER, "/baselines")
    assert isinstance(page, PageAnswer)
    items = page.values["items"]
    return [(item["stage"], item.get("lapsed", "")) for item in items]  # type: ignore[attr-defined]  # of a test


def test_a_draft_is_signed_into_shadow_then_enforced_then_taken_back(
    desk: StoreCache,
) -> None:
    digest = kept(desk, profile())
    assert state(desk) == [(None, "")]
    for stage, told in (
        ("shadow", ("shadow", "")),
        ("enforce", ("enforce", "")),
        ("off", (None, "its owner revoked it")),
    ):
        said = {"act": "hold", "id": digest, "stage": stage, "for": "30d"}
        if stage == "off":
            # The first page says what ends, and leads to the one that is signed.
            assert drafts(desk, OWNER, **said) == {}
            page = shown(desk, OWNER, "/sign", **said)
            assert "Enforcement ends: " in page
            assert "again=ends-enforcement" in page
            with (
                pytest.raises(UsageError, match="ends enforcement"),
                desk.open_store() as store,
            ):
                manage_profiles.sign_profile(
                    store, digest, A, BaselineStage.OFF, lifetime=DAY, now=desk.now
                )
            said["again"] = "ends-enforcement"
        moved = signed(desk, **said)
        assert moved.location.startswith("/baseline?agent=")
        assert state(desk) == [told]
        assert isinstance(desk, FrozenStoreCache)
        desk.at += 1
    with desk.open_store() as store:
        assert len(store.list_objects(SIGNED_BASELINE)) == 3


def consequence(desk: StoreCache, **said: str) -> list[tuple[str, bool, bool]]:
    """Read the table of calls before and after a signature; check the drawing of it."""
    page = shown(desk, OWNER, "/sign", **said)
    part = page.partition('aria-label="Consequence">')[2].partition("</section>")[0]
    rows = [re.sub(r"<[^>]+>", " ", each) for each in part.split("<tr>")[2:]]
    found = []
    for row in rows:
        mark = next((each for each in ("added", "removed") if each in row), "unchanged")
        found.append((mark, "rules decide" in row, "denied, or" in row))
    for mark in {each for each, *_ in found}:
        assert part.count(f'class="node {mark}"') == 4 * sum(
            each == mark for each, *_ in found
        )  # action and resource, wide and narrow
    return found


def test_the_calls_that_a_baseline_ends_and_gives_back_are_drawn(
    desk: StoreCache,
) -> None:
    digest = kept(desk, profile())
    said = {"act": "hold", "id": digest, "for": "30d"}
    tools = len({each.tool for each in profile().capabilities})
    same = ("unchanged", True, False)
    own = [same] * tools
    assert consequence(desk, stage="shadow", **said) == [same, *own]
    signed(desk, stage="shadow", **said)
    assert consequence(desk, stage="enforce", **said) == [("removed", True, True), *own]
    signed(desk, stage="enforce", **said)
    held = ("unchanged", False, True)
    assert consequence(desk, stage="enforce", **said) == [held, *own]
    assert consequence(desk, stage="off", **said) == [("added", True, True), *own]
    assert consequence(desk, stage="shadow", **said) == [("added", True, True), *own]


def test_what_was_never_in_shadow_is_not_enforced(desk: StoreCache) -> None:
    digest = kept(desk, profile())
    with pytest.raises(UsageError, match="expected a baseline in shadow"):
        drafts(desk, OWNER, act="hold", id=digest, stage="enforce")


def test_a_signature_for_one_stage_is_none_for_another(desk: StoreCache) -> None:
    digest = kept(desk, profile())
    signed(desk, act="hold", id=digest, stage="shadow")
    assert isinstance(desk, FrozenStoreCache)
    desk.at += 1
    said = {"act": "hold", "id": digest}
    (payload,) = drafts(desk, OWNER, **said, stage="shadow").values()
    with pytest.raises(VerificationError, match="stage differ"):
        answer(
            *(desk, OWNER, "/sign", "POST"),
            **said,
            stage="enforce",
            envelope=envelope(payload),
        )


def test_a_signature_that_ends_is_said_to_have_ended(desk: StoreCache) -> None:
    digest = kept(desk, profile())
    signed(desk, act="hold", id=digest, stage="shadow", **{"for": "7d"})
    assert isinstance(desk, FrozenStoreCache)
    desk.at += 8 * DAY
    ((stage, lapsed),) = state(desk)
    assert stage is None
    assert "expired" in str(lapsed)


def test_what_a_newer_draft_changes_is_shown_before_it_is_signed(
    desk: StoreCache,
) -> None:
    first = kept(desk, profile(capabilities=()))
    signed(desk, act="hold", id=first, stage="shadow")
    newer = kept(desk, profile(parent=first))
    assert len(state(desk)) == 2
    page = shown(desk, OWNER, "/baseline", agent=AGENT, digest=newer)
    assert "new-reach" in page
    for layer in baselines.LAYERS.values():
        assert layer in page
    assert ALICE in page
    assert f'value="{newer}"' in page
    # Nobody else is given the form.
    assert 'name="act"' not in shown(desk, INVESTIGATOR, "/baseline", agent=AGENT)


def test_recorded_calls_are_judged_anew(desk: StoreCache) -> None:
    worked(desk, PAYS, PAYS, ELSEWHERE)
    digest = kept(desk, profile())
    said = {"agent": AGENT, "digest": digest}
    page = answer(desk, OWNER, "/baseline/replay", **said)
    assert isinstance(page, PageAnswer)
    told = page.values["replay"]
    assert (told["calls"], told["denied"]) == (5, 1)  # type: ignore[index]  # of a test
    assert EVE in shown(desk, OWNER, "/baseline/replay", **said)
    # It is not done again while nothing has changed.
    again = answer(desk, INVESTIGATOR, "/baseline/replay", **said)
    assert isinstance(again, PageAnswer)
    assert again.values["replay"] is told


def test_only_the_newest_calls_are_read_where_that_is_asked_for(
    desk: StoreCache,
) -> None:
    worked(desk, PAYS, PAYS)
    with desk.open_store() as store:
        assert find_window_start(store, AGENT, max_calls=4) == 0
        assert (
            find_window_start(store, AGENT, max_calls=2) == LATER - 2 * DAY + 10**9 + 1
        )


def test_an_owner_learns_a_draft_that_holds_nothing(desk: StoreCache) -> None:
    worked(desk, PAYS, PAYS, PAYS)
    assert "no draft" not in shown(desk, OWNER, "/baseline", agent=AGENT)
    moved = answer(desk, OWNER, "/baseline/learn", "POST", agent=AGENT)
    assert isinstance(moved, Redirect)
    assert state(desk) == [(None, "")]
    for visit in (INVESTIGATOR, owner(BEN, OTHER)):
        with pytest.raises(Forbidden):
            answer(desk, visit, "/baseline/learn", "POST", agent=AGENT)


def test_what_is_not_theirs_is_told_to_nobody(desk: StoreCache) -> None:
    mine, theirs = kept(desk, profile()), kept(desk, profile(OTHER))
    visit = owner(BEN, OTHER)
    assert mine not in shown(desk, visit, "/baselines")
    assert theirs in shown(desk, visit, "/baselines")
    for path, said in (
        ("/baseline", {"agent": AGENT}),
        ("/baseline", {"agent": OTHER, "digest": mine}),
        ("/baseline", {}),
        ("/baseline", {"agent": "agent:no/such"}),
        ("/baseline/replay", {"agent": AGENT, "digest": mine}),
        ("/baseline/replay", {"agent": OTHER, "digest": mine}),
        ("/sign", {"act": "hold", "id": mine, "stage": "shadow"}),
        ("/sign", {"act": "hold", "id": mine[:16], "stage": "shadow"}),
        ("/sign", {"act": "hold", "id": "0" * 64, "stage": "shadow"}),
    ):
        with pytest.raises(Forbidden):
            answer(desk, visit, path, **said)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_in_a_profile_is_text(desk: StoreCache, text: str) -> None:
    made = profile()
    entity = made.entities[0]
    hostile = structs.replace(
        entity,
        tool=f"bank/{text[:2000]}",
        path=text[:2000],
        pattern=structs.replace(entity.pattern, text=text),
        tally=structs.replace(entity.tally, example=text[:2000]),
    )
    kept(desk, structs.replace(made, entities=(hostile,)))
    both = Visitor(
        OWNER.person, frozenset({WebRole.OWNER, WebRole.ADMIN}), OWNER.owns, "c"
    )
    for path, said in (("/baselines", {}), ("/baseline", {"agent": AGENT})):
        assert markup_faults(shown(desk, both, path, **said)) == []


def test_an_unknown_agent_is_no_agent_without_a_baseline(desk: StoreCache) -> None:
    with pytest.raises(Forbidden):
        shown(desk, INVESTIGATOR, "/baseline", agent="agent:no/such")
    assert "No baseline is learned yet" in shown(
        desk, INVESTIGATOR, "/baseline", agent=AGENT
    )
