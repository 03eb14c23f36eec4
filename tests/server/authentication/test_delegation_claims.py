"""Agents above the caller, and its principal, as the claims of a token name them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answerable.federation.token_errors import TokenRejected
from answerable.federation.token_verification import verify_token
from answerable.model.config import TokenCallerRule
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import ActChain, Actor
from answerable.server.authentication.token_cache import build_principal
from tests.federation.sample_tokens import ISSUERS, NOW
from tests.server.authentication.token_builders import (
    DECLARED,
    TCP,
    agent,
    bound,
    callers,
    proven,
    token,
)

CLAIMS = verify_token(token(), ISSUERS, NOW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def test_our_own_issuer_names_agent_person_and_run(folder: Path) -> None:
    ours = callers(folder, ours=True)
    text = bound(
        sub="person:ana@example.com", act={"sub": DECLARED}, answerable={"dlg": "run-1"}
    )
    caller = ours.authenticate(proven(text), TCP, NOW)
    assert (caller.agent, caller.known) == (DECLARED, True)
    assert (caller.person, caller.run) == ("person:ana@example.com", "run-1")
    other = bound(sub="person:ana@example.com", act={"sub": "agent:declared/other"})
    assert ours.authenticate(proven(other), TCP, NOW).principal != caller.principal


ROOT, MIDDLE = "agent:declared/root", "agent:declared/middle"
PERSON = "person:ana@example.com"


def acts(*subs: str) -> dict[str, object]:
    """The `act` of a chain, newest first."""
    outer, *rest = subs
    return {"sub": outer} | ({"act": acts(*rest)} if rest else {})


CHAINS = {
    "one agent for a person": (PERSON, acts(DECLARED), ()),
    "an agent of its own": (DECLARED, ..., ()),
    "below two, for a person": (PERSON, acts(DECLARED, MIDDLE, ROOT), (ROOT, MIDDLE)),
    "below two, for nobody": (ROOT, acts(DECLARED, MIDDLE), (ROOT, MIDDLE)),
}


@pytest.mark.parametrize(("sub", "act", "above"), CHAINS.values(), ids=CHAINS)
def test_our_own_issuer_names_the_agents_above(
    folder: Path, sub: str, act: object, above: tuple[str, ...]
) -> None:
    text = bound(sub=sub, act=act)
    ours = callers(folder, ours=True).authenticate(proven(text), TCP, NOW)
    assert (ours.agent, ours.chain) == (DECLARED, above)
    assert callers(folder).authenticate(proven(text), TCP, NOW).chain == ()


def test_an_agent_above_is_the_one_that_its_subject_stands_for(folder: Path) -> None:
    mapped = agent("parent", TokenCallerRule("corp", "svc-parent"))
    known = callers(folder, ours=True, agents=(mapped,))
    text = bound(sub=PERSON, act=acts(DECLARED, "svc-parent"))
    assert known.authenticate(proven(text), TCP, NOW).chain == (mapped.id,)


SUBJECTS = st.lists(st.sampled_from(["ana", "by", "bot"]), min_size=1).map(" ".join)
PAIRS = st.tuples(SUBJECTS, SUBJECTS | st.just(""))


def principal(sub: str, actor: str) -> str:
    """The principal of a token of ours, empty where it is refused."""
    act = ActChain((Actor(actor),) if actor else (), WrittenBy.MEDIATOR)
    try:
        return build_principal(replace(CLAIMS, sub=sub, act=act))
    except TokenRejected:
        return ""


@given(PAIRS, PAIRS)
@example(("ana by bot", ""), ("ana", "bot"))
@example(("ana by", "bot"), ("ana", "by bot"))
def test_no_subject_spells_out_the_principal_of_a_person_and_their_agent(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    if one != other and principal(*one):
        assert principal(*one) != principal(*other)
