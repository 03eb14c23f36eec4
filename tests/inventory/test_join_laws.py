"""Laws of the join: the order of syncs never matters, and saying it twice adds nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.inventory.person_directory import is_machine_user
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.inventory.sync_merge import merge_facts_of_syncs, select_newest_syncs
from answerable.model.credential import CredentialClass
from answerable.model.person import OwnerEvidenceKind
from answerable.model.policy import PolicyLayer
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from tests.inventory.fact_builders import (
    DAY,
    NOW,
    agent,
    arn,
    credential,
    evidence,
    human,
    identity,
    link,
    policy,
    statement,
    tool,
)

TAILS = ("role/a", "role/path/a", "role/b", "user/a", "user/x/A")
AGENTS = ("x/1", "x/2", "x/2/sub")
KEYS = ("cred:aws/AKIARTX3GSDSRRFJNQSQ", "cred:fp/1", "cred:fp/2")
WHO = ("ana", "ana@corp.example", "ben", "@org/team", "jenkins")


def few(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


tails = st.sampled_from(TAILS)
writers = st.sampled_from((WrittenBy.PLATFORM, WrittenBy.SELF_REPORTED))
policies = st.builds(
    policy,
    tails.map(arn),
    st.builds(
        statement,
        st.sampled_from(("iam:*", "s3:*")),
        st.sampled_from(("*", arn("role/a"))),
    ),
    layer=st.sampled_from((PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY)),
)


@st.composite
def syncs(draw: st.DrawFn) -> tuple[str, Sync]:
    attached = draw(few(policies))
    facts = SightedFacts(
        persons=draw(
            few(
                st.builds(
                    human,
                    st.sampled_from(WHO),
                    st.sampled_from(WHO),
                    alive=st.booleans(),
                    by=writers,
                )
            )
        ),
        agents=draw(
            few(
                st.builds(
                    agent,
                    st.sampled_from(AGENTS),
                    parent=st.sampled_from((None, *AGENTS)),
                    runs_as=few(tails.map(arn)),
                )
            )
        ),
        tools=draw(
            few(
                st.builds(
                    tool,
                    st.sampled_from(AGENTS),
                    st.sampled_from(("db", "web")),
                    place=st.sampled_from(("p", "q")),
                )
            )
        ),
        credentials=draw(
            few(
                st.builds(
                    credential,
                    st.sampled_from(KEYS),
                    cls=st.sampled_from(CredentialClass),
                    place=st.sampled_from(("p", "q")),
                )
            )
        ),
        links=draw(
            few(
                st.builds(
                    link,
                    st.sampled_from(KEYS),
                    tails.map(arn),
                    st.sampled_from(("list-access-keys", "trail", "profile-role")),
                )
            )
        ),
        identities=draw(
            few(
                st.builds(
                    identity,
                    tails,
                    unique=st.sampled_from(("", "AROA")),
                    tags=st.sampled_from(((), (("Owner", "ana"),))),
                )
            )
        ),
        policies=tuple(made for made, _ in attached),
        attachments=tuple(at for _, at in attached),
        evidence=draw(
            few(
                st.builds(
                    evidence,
                    st.one_of(
                        tails.map(arn), st.sampled_from(KEYS), st.just("agent:x/1")
                    ),
                    st.sampled_from(WHO),
                    st.sampled_from(OwnerEvidenceKind),
                    age=st.floats(0, 900),
                    standing=st.booleans(),
                    by=writers,
                )
            )
        ),
    )
    source = draw(st.sampled_from(("home:a", "home:b", "aws:a", "aws:b", "aws-keys:k")))
    return source, Sync(
        source,
        source.partition(":")[0],
        NOW - DAY * draw(st.integers(0, 3)),
        facts,
        collected=draw(st.sampled_from(((), ("identity-policies", "boundaries")))),
    )


many = st.lists(syncs(), max_size=4)


@settings(max_examples=60)
@given(many.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_syncs_never_matters(
    both: tuple[list[tuple[str, Sync]], list[tuple[str, Sync]]],
) -> None:
    found, mixed = both
    assert join_syncs_into_inventory(mixed, now=NOW) == join_syncs_into_inventory(
        found, now=NOW
    )


@settings(max_examples=60)
@given(many)
def test_the_same_syncs_twice_are_the_same_inventory(
    found: list[tuple[str, Sync]],
) -> None:
    assert join_syncs_into_inventory(
        [*found, *found], now=NOW
    ) == join_syncs_into_inventory(found, now=NOW)


@settings(max_examples=60)
@given(many)
def test_merging_what_was_merged_changes_nothing(found: list[tuple[str, Sync]]) -> None:
    once = merge_facts_of_syncs(select_newest_syncs(found))
    again = Sync("aws:m", "aws", NOW, once)
    assert merge_facts_of_syncs([again]) == once


@settings(max_examples=60)
@given(many)
def test_every_subject_has_an_owner_state_and_a_score_in_bounds(
    found: list[tuple[str, Sync]],
) -> None:
    inventory = join_syncs_into_inventory(found, now=NOW)
    subjects = {i.id for i in inventory.facts.identities}
    subjects |= set(inventory.agents) | set(inventory.credentials)
    assert subjects <= set(inventory.owners)
    for owner in inventory.owners.values():
        assert 0.0 <= owner.margin <= owner.score <= 1.0 or not owner.candidates
        assert all(0.0 <= c.score <= 1.0 for c in owner.candidates)
        named = {c.person for c in owner.candidates if not is_machine_user(c.person)}
        assert named <= set(inventory.persons)


@settings(max_examples=60)
@given(many)
def test_no_sighting_of_a_credential_is_lost(found: list[tuple[str, Sync]]) -> None:
    inventory = join_syncs_into_inventory(found, now=NOW)
    newest = select_newest_syncs(found)
    for sync in newest:
        for sighting in sync.facts.credentials:
            places = {s.place for s in inventory.credentials[sighting.id].sightings}
            assert sighting.place in places
