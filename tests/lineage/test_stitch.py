"""Laws of stitching, each held by Hypothesis against the slow version or itself."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.lineage.chain_index import find_chain_valid_at
from answerable.lineage.chain_stitching import derive_lineage_chains
from answerable.lineage.chain_stitching_types import (
    ALL_TIME,
    MAX_CHAIN_LENGTH,
    SignIn,
    SourcedChainKey,
)
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    DeclaredUse,
    HopStatus,
    LineageChain,
)
from tests.reference.lineage.chains import derive_chain, summarise_chain

ACCOUNT = "arn:aws:iam::111122223333"
IDENTITIES = ["", f"{ACCOUNT}:user/ana", f"{ACCOUNT}:role/a", f"{ACCOUNT}:role/b"]
IDENTITIES += ["ec2.amazonaws.com", f"{ACCOUNT}:root"]
CREDENTIALS = ["", "cred:aws/AKIAIOSFODNN7EXAMPLE", "cred:aws/ASIAEXAMPLE000001"]
CREDENTIALS += ["cred:aws/ASIAEXAMPLE000002", "cred:aws/ASIAEXAMPLE000003"]
PERSONS = ["", "", "person:ana@corp.example", "person:ben@corp.example"]
AGENTS = ["agent:declared/one", "agent:declared/two", "agent:declared/three"]
TOOLS = ["tool:mcp/db/*", "tool:mcp/web/*"]
TIMES = st.integers(0, 12)

keys = st.builds(
    ChainKey,
    st.sampled_from(IDENTITIES),
    st.sampled_from(CREDENTIALS),
    st.sampled_from(["", "arn:aws:sts::111122223333:assumed-role/a/s"]),
    st.sampled_from(PERSONS),
    st.sampled_from(["", "", "run-1", "run-2"]),
    st.sampled_from(["", "", "", *AGENTS]),
    st.sampled_from(["", *TOOLS]),
)
joints = st.builds(
    SourcedChainKey, keys, st.just("cloudtrail"), st.sampled_from([True] * 4 + [False])
)
issuances = st.builds(
    CredentialIssuance,
    TIMES,
    st.sampled_from(CREDENTIALS[1:]),
    st.sampled_from(IDENTITIES),
    TIMES,
    keys,
    st.sampled_from(["01", "02", "03"]),
    st.just("cloudtrail"),
    st.lists(st.sampled_from(AGENTS), max_size=3, unique=True).map(tuple),
    st.sampled_from(PERSONS),
)
pairs = st.tuples(st.sampled_from(AGENTS), st.sampled_from(TOOLS))
declared_uses = st.builds(
    DeclaredUse,
    st.sampled_from(IDENTITIES[1:] + CREDENTIALS[1:] + AGENTS),
    TIMES,
    TIMES,
    st.sampled_from(PERSONS),
    st.just("confirmed"),
    st.lists(st.sampled_from(AGENTS), max_size=3, unique=True).map(tuple),
    st.lists(pairs, max_size=3, unique=True).map(tuple),
    st.sampled_from(["snapshot one", "snapshot two"]),
    st.booleans(),
)
sign_ins = st.builds(
    SignIn,
    TIMES,
    st.sampled_from(PERSONS[2:]),
    st.sampled_from(IDENTITIES),
    st.sampled_from(CREDENTIALS),
    st.sampled_from(["11", "12"]),
    st.just("cloudtrail"),
)
parents = st.dictionaries(st.sampled_from(AGENTS), st.sampled_from(AGENTS), max_size=3)
worlds = st.tuples(
    st.lists(issuances, max_size=6),
    st.lists(declared_uses, max_size=6),
    st.lists(sign_ins, max_size=4),
    parents,
)
STRENGTH = [HopStatus.MISSING, HopStatus.INFERRED, HopStatus.DECLARED]
STRENGTH += [HopStatus.OBSERVED]


def one(joint: SourcedChainKey, world: tuple) -> tuple[LineageChain, ...]:
    (found,) = derive_lineage_chains([joint], *world)
    return found.chains


def hops(chain: LineageChain) -> tuple:
    return (chain.person, chain.agent, chain.tool, chain.identity, chain.identity_path)


@settings(max_examples=150)
@given(joints, worlds, TIMES)
def test_stitching_equals_the_slow_version_at_every_moment(joint, world, at) -> None:
    chains = one(joint, world)
    assert summarise_chain(find_chain_valid_at(chains, at)) == derive_chain(
        joint, at, *world
    )


@settings(max_examples=100)
@given(joints, worlds)
def test_chains_cover_all_time_without_gap_or_overlap(joint, world) -> None:
    chains = one(joint, world)
    assert chains[0].valid_from == ALL_TIME[0]
    assert chains[-1].valid_to == ALL_TIME[1]
    for before, after in pairwise(chains):
        assert before.valid_to == after.valid_from > before.valid_from


@settings(max_examples=100)
@given(joints, worlds, st.text(max_size=20), st.lists(st.text(max_size=20), max_size=6))
def test_no_session_name_changes_any_hop(joint, world, name, names) -> None:
    """A session's name is its caller's own words: events and issuances alike."""
    renamed = replace(joint, key=replace(joint.key, session=name))
    others = [
        replace(i, parent=replace(i.parent, session=n))
        for i, n in zip(world[0], names, strict=False)
    ]
    told = [*others, *world[0][len(others) :]]
    before, after = one(joint, world), one(renamed, (told, *world[1:]))
    assert [hops(c) for c in before] == [hops(c) for c in after]


@settings(max_examples=100)
@given(keys, worlds)
def test_what_a_source_says_of_itself_is_never_observed(key, world) -> None:
    for chain in one(SourcedChainKey(key, "otel", believed=False), world):
        for hop in (chain.person, chain.agent, chain.tool, chain.identity):
            assert hop.status is HopStatus.MISSING


@settings(max_examples=100)
@given(joints, worlds, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_arrive_changes_nothing(joint, world, random) -> None:
    shuffled = [list(part) for part in world[:3]]
    for part in shuffled:
        random.shuffle(part)
    before, after = one(joint, world), one(joint, (*shuffled, world[3]))
    assert [summarise_chain(c) for c in before] == [summarise_chain(c) for c in after]


@settings(max_examples=100)
@given(joints, worlds, issuances, TIMES)
def test_a_late_issuance_never_weakens_the_person(joint, world, late, at) -> None:
    if any(i.credential == late.credential for i in world[0]):
        return
    before = find_chain_valid_at(one(joint, world), at)
    after = find_chain_valid_at(one(joint, ([*world[0], late], *world[1:])), at)
    rank = STRENGTH.index
    assert rank(after.person.status) >= rank(before.person.status)


@settings(max_examples=80)
@given(joints, worlds)
def test_a_hop_has_a_value_unless_it_is_missing_and_always_a_source(joint, world):
    for chain in one(joint, world):
        for hop in (chain.person, chain.agent, chain.tool, chain.identity):
            assert bool(hop.value) == (hop.status is not HopStatus.MISSING)
            assert hop.source


# Cases a reader can follow.

USER, ROLE = f"{ACCOUNT}:user/ana", f"{ACCOUNT}:role/deploy"
STATIC, SHORT = "cred:aws/AKIAIOSFODNN7EXAMPLE", "cred:aws/ASIAEXAMPLE000001"


def key(identity: str, credential: str = "", person: str = "") -> ChainKey:
    return ChainKey(identity, credential, "", person, "")


def joint(identity: str, credential: str = "", person: str = "") -> SourcedChainKey:
    return SourcedChainKey(
        key(identity, credential, person), "cloudtrail", believed=True
    )


def assumed(parent: ChainKey, credential: str = SHORT) -> CredentialIssuance:
    return CredentialIssuance(5, credential, ROLE, 99, parent, "0a", "cloudtrail")


def use(subject: str, person: str = "", *agents: str, since: int = 0) -> DeclaredUse:
    tools = tuple((agent, "tool:mcp/db/*") for agent in agents)
    end = ALL_TIME[1]
    return DeclaredUse(
        subject, since, end, person, "confirmed", agents, tools, "snapshot s1"
    )


def test_an_assumed_role_leads_back_to_the_key_that_assumed_it() -> None:
    (chain,) = one(joint(ROLE, SHORT), ([assumed(key(USER, STATIC))],))
    assert chain.identity_path == (USER, ROLE)
    assert chain.credential_path == (STATIC, SHORT)
    assert (chain.credential_from, chain.credential_to) == (5, 99)
    assert chain.person.status is HopStatus.MISSING
    assert "an owner of " + USER in chain.person.source


def test_a_person_whom_the_provider_signed_in_is_observed_through_the_issuance() -> (
    None
):
    parent = key("saml:idp/ana@corp.example", "", "person:ana@corp.example")
    (chain,) = one(joint(ROLE, SHORT), ([assumed(parent)],))
    assert chain.person.value == "person:ana@corp.example"
    assert chain.person.status is HopStatus.OBSERVED
    assert chain.person.source == "cloudtrail event 0a"


def test_a_service_stands_at_the_origin_and_the_gap_names_what_would_fill_it() -> None:
    world = ([assumed(key("ec2.amazonaws.com"))],)
    (chain,) = one(joint(ROLE, SHORT), world)
    assert chain.identity_path == ("ec2.amazonaws.com", ROLE)
    assert chain.person.source == (
        "the origin is the service ec2.amazonaws.com; "
        "an owner of the agent would supply it"
    )
    agent = "agent:declared/one"
    uses = [use(ROLE, "", agent), use(agent, "person:ana")]
    (owned,) = one(joint(ROLE, SHORT), (*world, uses))
    assert owned.person.status is HopStatus.DECLARED


def test_ownership_is_as_of_the_event() -> None:
    uses = [
        replace(use(USER, "person:ana"), valid_to=10),
        use(USER, "person:ben", since=10),
    ]
    chains = one(joint(USER, STATIC), ([], uses))
    assert [(c.valid_from, c.person.value) for c in chains] == [
        (0, "person:ana"),
        (10, "person:ben"),
    ]


def test_a_console_sign_in_of_the_same_user_infers_the_person() -> None:
    signed_in = SignIn(1, "person:ana", USER, "", "0b", "cloudtrail")
    world = ([assumed(key(USER, STATIC))], [], [signed_in])
    (chain,) = one(joint(ROLE, SHORT), world)
    assert chain.person.value == "person:ana"
    assert chain.person.status is HopStatus.INFERRED


def test_who_made_a_key_is_only_inferred_to_use_it() -> None:
    parent = key("identity-center:x/ana", "", "person:ana")
    made = replace(assumed(parent, STATIC), identity=USER, until=0)
    (chain,) = one(joint(USER, STATIC), ([made],))
    assert chain.identity_path == (USER,)
    assert chain.person.status is HopStatus.INFERRED
    assert "created" in chain.person.source


def test_an_agent_with_a_key_of_its_own_is_declared_and_a_shared_one_is_not() -> None:
    one_agent = [use(STATIC, "", "agent:declared/one")]
    (chain,) = one(joint(USER, STATIC), ([], one_agent))
    assert (chain.agent.value, chain.agent.status) == (
        "agent:declared/one",
        HopStatus.DECLARED,
    )
    assert chain.tool.value == "tool:mcp/db/*"
    shared = [use(STATIC, "", "agent:declared/one", "agent:declared/two")]
    (chain,) = one(joint(USER, STATIC), ([], shared))
    assert chain.agent.status is HopStatus.MISSING
    assert "shared by 2 agents" in chain.agent.source


def test_the_key_that_assumed_a_shared_role_tells_the_agent() -> None:
    uses = [
        use(ROLE, "", "agent:declared/one", "agent:declared/two"),
        use(STATIC, "", "agent:declared/two"),
    ]
    (chain,) = one(joint(ROLE, SHORT), ([assumed(key(USER, STATIC))], uses))
    assert chain.agent.value == "agent:declared/two"
    assert chain.agent.status is HopStatus.DECLARED


def test_an_agent_and_its_subagent_that_share_a_key_are_that_agent() -> None:
    both = [use(STATIC, "", "agent:declared/one", "agent:declared/two")]
    lines = {"agent:declared/two": "agent:declared/one"}
    (chain,) = one(joint(USER, STATIC), ([], both, [], lines))
    assert (chain.agent.value, chain.agent.status) == (
        "agent:declared/one",
        HopStatus.DECLARED,
    )


def test_what_a_later_snapshot_says_of_an_earlier_time_is_inferred() -> None:
    later = [replace(use(STATIC, "person:ana", "agent:declared/one"), hindsight=True)]
    (chain,) = one(joint(USER, STATIC), ([], later))
    for hop in (chain.person, chain.agent, chain.tool):
        assert hop.status is HopStatus.INFERRED
        assert "taken later" in hop.source


def test_the_parents_of_an_agent_stand_before_it() -> None:
    lines = {"agent:declared/two": "agent:declared/one"}
    lines["agent:declared/one"] = "agent:declared/two"  # a cycle ends the line
    (chain,) = one(
        joint(USER, STATIC), ([], [use(USER, "", "agent:declared/two")], [], lines)
    )
    assert chain.agent_path == ("agent:declared/one", "agent:declared/two")


def test_a_cycle_of_issuances_ends_and_says_so() -> None:
    other = "cred:aws/ASIAEXAMPLE000002"
    ring = [assumed(key(ROLE, other)), assumed(key(ROLE, SHORT), other)]
    (chain,) = one(joint(ROLE, SHORT), (ring,))
    assert chain.credential_path == (other, SHORT)
    assert "cycle" in chain.person.source


def test_an_absurdly_long_line_of_issuances_is_cut() -> None:
    names = [f"cred:aws/ASIAEXAMPLE{n:06d}" for n in range(100)]
    line = [assumed(key(ROLE, b), a) for a, b in pairwise(names)]
    (chain,) = one(joint(ROLE, names[0]), (line,))
    assert len(chain.credential_path) == MAX_CHAIN_LENGTH


@pytest.mark.parametrize("credential", [SHORT, ""])
def test_a_missing_issuance_is_named(credential: str) -> None:
    (chain,) = one(joint(ROLE, credential), ([],))
    wanted = f"the STS record that issued {SHORT}" if credential else "an owner of"
    assert wanted in chain.person.source
