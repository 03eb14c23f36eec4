"""Law: text of agents changes no ownership statement, no merge, and no permission.

Names, places, notes and facts of agents, requests for owners, and unsigned merges of
names can all be written by an agent. Whatever they say, a person signs the same bytes
for an entity, and may sign for the same entities.
"""

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.person import PersonMerge
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory.owner_requests import (
    OwnerRequest,
    put_owner_request,
)
from answerable.services.statements.person_merges import put_unsigned_merge
from answerable.web.auth.visitor_factory import find_attested_subjects
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.inventory.fact_builders import NOW, agent, human
from tests.inventory.stored_scans import save
from tests.usecases.owned_store import AGENT, AGENTS, ANA, BEN
from tests.web.conftest import answer, shown
from tests.web.markup_checks import HOSTILE, markup_faults
from tests.web.signing.owner_store import OWNER, owner

ORPHAN = AGENTS[2]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    st.sampled_from((*HOSTILE, ANA, BEN, "owner: ben@corp.example", "attested")),
)
SAID = st.fixed_dictionaries(dict.fromkeys(("name", "place", "note"), TEXT))
PEOPLE = tuple(
    human(name, name.partition("@")[0])
    for name in ("ana@corp.example", "ben@corp.example")
)


def scan(desk: StoreCache, at: int, said: dict[str, str], fact: str) -> None:
    """Scan the same agents, with this text of theirs."""
    agents = tuple(
        replace(
            agent(each.removeprefix("agent:"), facts=(("self:owner", fact),)), **said
        )
        for each in AGENTS
    )
    facts = SightedFacts(agents=agents, persons=PEOPLE)
    with desk.open_store() as store:
        save(store, [Sync("people:p", "people", at, facts)], at)


def signable(desk: StoreCache, visit: Visitor) -> dict[str, object]:
    """Give what a visitor would sign for each entity, or why they cannot."""
    picks = {f"id{at}": each for at, each in enumerate(AGENTS)}
    page = answer(desk, visit, "/owners", **picks)
    assert isinstance(page, PageAnswer)
    return {
        each.id: [draft.payload for draft in each.drafts] or each.refusal
        for each in page.values["selected"]  # type: ignore[attr-defined]  # of a test
    }


def merge_text(desk: StoreCache) -> list[str]:
    """Give what a visitor would sign to merge two names."""
    page = answer(desk, OWNER, "/sign", act="merge-person", id=ANA, other=BEN)
    assert isinstance(page, PageAnswer)
    return [draft.payload for draft in page.values["drafts"]]  # type: ignore[attr-defined]  # of a test


def powers(desk: StoreCache) -> tuple[object, ...]:
    return (
        *(signable(desk, owner(each, AGENT)) for each in (ANA, BEN)),
        *(find_attested_subjects(desk, each) for each in (ANA, BEN)),
        merge_text(desk),
    )


def test_text_of_agents_changes_nothing_that_is_signed(desk: StoreCache) -> None:
    plain = powers(desk)
    assert plain[0] != plain[1]  # each signs in their own name
    times = iter(range(1, 1_000))

    @settings(
        max_examples=2,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(SAID, TEXT, TEXT)
    def law(said: dict[str, str], fact: str, author: str) -> None:
        at = NOW + next(times)
        scan(desk, at, said, fact)
        with desk.open_store() as store:
            request = OwnerRequest(ORPHAN, BEN, author[:40] or "x", ANA, at, fact)
            put_owner_request(store, request)
        assert powers(desk) == plain
        view = desk.current_view().inventory.agents[ORPHAN].agent
        assert (view.name, view.note) == (said["name"], said["note"])  # it was read
        page = shown(desk, OWNER, "/owners", id0=ORPHAN)
        assert markup_faults(page) == []

    law()


def test_an_unsigned_merge_changes_nothing_that_is_signed(desk: StoreCache) -> None:
    plain = powers(desk)

    @settings(
        max_examples=2,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(TEXT)
    def law(author: str) -> None:
        said = PersonMerge(ANA, BEN, author[:40], WrittenBy.SELF_REPORTED, NOW + 5)
        with desk.open_store() as store:
            put_unsigned_merge(store, said)
        assert powers(desk) == plain
        assert markup_faults(shown(desk, OWNER, "/person", id=ANA)) == []

    law()


def test_the_law_can_fail(desk: StoreCache) -> None:
    plain = signable(desk, OWNER)
    other = signable(desk, owner(BEN, AGENT))
    assert plain != other
