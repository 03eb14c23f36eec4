"""What is remembered: once is once, the dead stay dead, and all or nothing."""

from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.model.delegation import Delegation
from answerable.model.token_claims import Confirmation
from answerable.store.token_state.interface import (
    COMMITTED,
    EXPIRY_MARGIN,
    CommitOutcome,
    DelegationChain,
    ExchangeCommit,
    IdConflict,
    InactiveReason,
    RevokedDelegations,
    TokenState,
    generate_id,
)
from tests.store.token_state.conftest import Opens
from tests.store.token_state.sample_rows import (
    BOT,
    NOW,
    delegation,
    open_chain,
    open_delegation,
    replay_key,
    signing_key,
    ticket,
    token,
)


def test_a_thing_is_seen_once(control: TokenState) -> None:
    one, other = replay_key(), replay_key()
    assert control.record_single_use_key(one, NOW) is CommitOutcome.DONE
    assert control.record_single_use_key(one, NOW) is CommitOutcome.SEEN
    assert control.record_single_use_key(other, NOW) is CommitOutcome.DONE


def test_what_one_process_saw_the_other_has_seen(opens: Opens) -> None:
    first, second, one = opens(), opens(), replay_key()
    assert first.record_single_use_key(one, NOW) is CommitOutcome.DONE
    assert second.record_single_use_key(one, NOW) is CommitOutcome.SEEN


def test_an_exchange_is_remembered_whole(control: TokenState) -> None:
    made = delegation()
    given = token(made)
    asked = ExchangeCommit(uses=(replay_key(), replay_key()), opens=made, token=given)
    assert control.commit(asked, NOW) == COMMITTED
    assert control.find_delegation(made.id) == made
    assert control.find_token(given.delegation, given.jti) == given
    assert control.find_delegation_chain(made.id, NOW) == DelegationChain((made,))


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_an_exchange_with_one_thing_seen_before_changes_nothing(
    control: TokenState, seen: int
) -> None:
    uses = (replay_key(), replay_key(), replay_key())
    control.record_single_use_key(uses[seen], NOW)
    made = delegation()
    asked = ExchangeCommit(uses=uses, opens=made, token=token(made))
    answer = control.commit(asked, NOW)
    assert (answer.outcome, answer.use) == (CommitOutcome.SEEN, uses[seen])
    assert control.find_delegation(made.id) is None
    others = [each for each in uses if each != uses[seen]]
    assert [control.record_single_use_key(each, NOW) for each in others] == [
        CommitOutcome.DONE
    ] * 2


def test_one_thing_twice_in_an_exchange_is_seen(control: TokenState) -> None:
    one = replay_key()
    assert control.commit(ExchangeCommit((one, one)), NOW).outcome is CommitOutcome.SEEN
    assert control.record_single_use_key(one, NOW) is CommitOutcome.DONE


def test_nothing_is_done_under_an_unknown_delegation(control: TokenState) -> None:
    unknown = delegation()
    child, one = delegation(unknown), replay_key()
    answer = control.commit(ExchangeCommit((one,), under=unknown.id, opens=child), NOW)
    assert (answer.outcome, answer.dead) == (CommitOutcome.DEAD, unknown.id)
    assert answer.why is InactiveReason.UNKNOWN
    assert control.record_single_use_key(one, NOW) is CommitOutcome.DONE


@pytest.mark.parametrize("revoked", range(4))
def test_who_is_below_a_revoked_delegation_dies_with_it(
    control: TokenState, revoked: int
) -> None:
    links = open_chain(control, 4)
    died = control.revoke_delegation(links[revoked].id, NOW)
    assert died.delegations == tuple(link.id for link in links[revoked:])
    assert len(died.tokens) == 4 - revoked
    for position, link in enumerate(links):
        chain = control.find_delegation_chain(link.id, NOW)
        assert chain.links == tuple(reversed(links[: position + 1]))
        assert chain.is_active is (position < revoked)
        child = delegation(link)
        answer = control.commit(ExchangeCommit(under=link.id, opens=child), NOW)
        expected = CommitOutcome.DONE if position < revoked else CommitOutcome.DEAD
        assert answer.outcome is expected
        if expected is CommitOutcome.DEAD:
            assert (answer.dead, answer.why) == (
                links[revoked].id,
                InactiveReason.REVOKED,
            )


def test_revoking_twice_ends_nothing_more(control: TokenState) -> None:
    root = open_delegation(control)
    assert control.revoke_delegation(root.id, NOW).delegations == (root.id,)
    assert control.revoke_delegation(root.id, NOW) == RevokedDelegations()
    assert control.revoke_delegation("0" * 32, NOW) == RevokedDelegations()


def test_a_parent_that_expired_takes_its_children_along(control: TokenState) -> None:
    parent = open_delegation(control, expires=NOW + 10)
    child = open_delegation(control, parent, expires=NOW + 3600)
    assert control.find_delegation_chain(child.id, NOW + 10).is_active
    chain = control.find_delegation_chain(child.id, NOW + 11)
    assert (chain.dead, chain.why) == (parent.id, InactiveReason.EXPIRED)
    renewal = ExchangeCommit(under=child.id, token=token(child))
    assert control.commit(renewal, NOW + 11).outcome is CommitOutcome.DEAD


def test_a_parent_that_was_swept_away_takes_its_children_along(
    control: TokenState,
) -> None:
    parent = open_delegation(control, expires=NOW + 10)
    child = open_delegation(control, parent, expires=NOW + 3600)
    later = NOW + 11 + EXPIRY_MARGIN
    assert control.delete_expired(later) == 1
    chain = control.find_delegation_chain(child.id, later)
    assert (chain.links, chain.dead, chain.why) == (
        (child,),
        parent.id,
        InactiveReason.UNKNOWN,
    )


def test_children_are_those_directly_below(control: TokenState) -> None:
    root = open_delegation(control)
    children = [open_delegation(control, root) for _ in range(3)]
    open_delegation(control, children[0])
    assert control.list_child_delegations(root.id) == tuple(children)
    assert control.list_child_delegations(children[1].id) == ()


@pytest.mark.parametrize(
    ("subject", "whom"),
    [
        (BOT, [0, 1, 2]),
        ("person:ana@example.com", [0, 1, 2]),
        ("person:ben@example.com", [0, 1, 2]),
        ("rule:deploy-bot-ci", [0, 1, 2]),
        ("agent:declared/reporter", [1, 2]),
        ("agent:declared/report", []),
        ("person:nobody@example.com", []),
        ("rule:deploy", []),
    ],
)
def test_a_kill_ends_whom_it_names_and_all_below(
    control: TokenState, subject: str, whom: list[int]
) -> None:
    links = open_chain(control, 3)
    other = open_delegation(
        control, agent="agent:x/y", sub="person:c", owner="person:d", rule="z"
    )
    named = tuple(sorted(links[at].id for at in whom))
    # What was given is told before and after: a kill that is repeated says it again.
    assert control.list_delegations_of_subject(subject, NOW) == named
    died = control.revoke_subject(subject, NOW)
    assert tuple(sorted(died.delegations)) == named
    assert control.find_delegation_chain(other.id, NOW).is_active
    assert control.revoke_subject(subject, NOW).delegations == ()
    assert control.list_delegations_of_subject(subject, NOW) == named


def test_a_run_is_a_delegation(control: TokenState) -> None:
    root, other = open_delegation(control), open_delegation(control)
    died = control.revoke_subject(f"run:{root.id}", NOW)
    assert died.delegations == (root.id,)
    assert control.find_delegation_chain(other.id, NOW).is_active
    assert control.list_delegations_of_subject(f"run:{root.id}", NOW) == (root.id,)
    assert control.list_delegations_of_subject("run:nobody", NOW) == ()


def test_what_was_given_is_told_until_no_token_of_it_can_be_shown(
    control: TokenState,
) -> None:
    early, late = (
        open_delegation(control, expires=NOW + 10),
        open_delegation(control, expires=NOW + 20),
    )
    below = open_delegation(control, early, expires=NOW + 10)
    both = tuple(sorted((early.id, below.id)))
    subject = str(early.agent)
    assert set(
        control.list_delegations_of_subject(subject, NOW + 10 + EXPIRY_MARGIN)
    ) == {
        *both,
        late.id,
    }
    assert (
        control.list_delegations_of_subject(f"run:{early.id}", NOW + 10 + EXPIRY_MARGIN)
        == both
    )
    assert (
        control.list_delegations_of_subject(f"run:{early.id}", NOW + 11 + EXPIRY_MARGIN)
        == ()
    )
    assert control.list_delegations_of_subject(subject, NOW + 11 + EXPIRY_MARGIN) == (
        late.id,
    )


def test_a_token_is_found_under_its_own_delegation_alone(control: TokenState) -> None:
    root, beside = open_delegation(control), open_delegation(control)
    one, other = token(root), token(root)
    for each in (one, other):
        control.commit(ExchangeCommit(under=root.id, token=each), NOW)
    assert control.find_token(root.id, one.jti) == one
    assert control.find_token(beside.id, one.jti) is None
    assert control.find_token(root.id, "unknown") is None
    ended = control.revoke_delegation(root.id, NOW + 5)
    assert {one.jti, other.jti} <= set(ended.tokens)
    assert control.find_token(root.id, other.jti) == replace(other, revoked=NOW + 5)
    assert control.find_delegation_chain(beside.id, NOW).is_active


def test_what_was_revoked_stays_so_for_whoever_opens_it_next(opens: Opens) -> None:
    first = opens()
    root = open_delegation(first)
    first.revoke_delegation(root.id, NOW)
    assert not opens().find_delegation_chain(root.id, NOW).is_active


def test_no_id_is_given_twice(control: TokenState) -> None:
    root = open_delegation(control)
    given, one = token(root), replay_key()
    control.commit(ExchangeCommit(under=root.id, token=given), NOW)
    for asked in (
        ExchangeCommit((one,), opens=root),
        ExchangeCommit((one,), token=given),
    ):
        with pytest.raises(IdConflict):
            control.commit(asked, NOW)
    made = ticket(root)
    control.store_ticket(made, NOW)
    with pytest.raises(IdConflict):
        control.store_ticket(made, NOW)
    assert control.record_single_use_key(one, NOW) is CommitOutcome.DONE


def test_keys_are_published_for_all_and_a_killed_one_stays_killed(
    opens: Opens,
) -> None:
    one, other = opens(), opens()
    first, second = signing_key("a", "two"), signing_key("b", "one")
    one.publish_signing_key(first)
    other.publish_signing_key(second)
    assert one.list_signing_keys() == other.list_signing_keys() == (second, first)
    moved = replace(first, signs_from=NOW)
    one.publish_signing_key(moved)
    assert other.revoke_signing_key("a", NOW + 5)
    assert not other.revoke_signing_key("a", NOW + 6)
    assert not other.revoke_signing_key("c", NOW)
    one.publish_signing_key(moved)
    assert one.list_signing_keys() == (second, replace(moved, killed=NOW + 5))
    one.delete_signing_key("b")
    assert other.list_signing_keys() == (replace(moved, killed=NOW + 5),)


def test_a_new_epoch_refuses_what_could_have_been_shown_before(
    opens: Opens,
) -> None:
    control, other = opens(), opens()
    root = open_delegation(control)
    made = ticket(root)
    control.store_ticket(made, NOW)
    assert control.read_complete_since() == 0
    assert (
        control.declare_possible_loss(NOW + 0.5)
        == other.read_complete_since()
        == NOW + 1
    )
    assert (
        other.record_single_use_key(replay_key(since=NOW), NOW + 1)
        is CommitOutcome.PERHAPS_SEEN
    )
    assert (
        other.record_single_use_key(replay_key(since=NOW + 1), NOW + 1)
        is CommitOutcome.DONE
    )
    assert other.find_ticket(made.sha256, NOW) is None
    assert other.declare_possible_loss(NOW - 100) == NOW + 1
    assert other.find_delegation_chain(root.id, NOW).is_active


def test_what_ended_is_swept_away_and_never_seen_as_new(control: TokenState) -> None:
    uses = [replay_key(expires=NOW + 10) for _ in range(50)]
    kept = replay_key(expires=NOW + 1000)
    for each in (*uses, kept):
        control.record_single_use_key(each, NOW)
    assert control.delete_expired(NOW + 10 + EXPIRY_MARGIN) == 0
    later = NOW + 11 + EXPIRY_MARGIN
    assert control.delete_expired(later) == 50
    assert control.record_single_use_key(kept, later) is CommitOutcome.SEEN
    # The clock goes back to where these were good.
    assert {control.record_single_use_key(each, NOW) for each in uses} == {
        CommitOutcome.PERHAPS_SEEN
    }


def test_rows_that_ended_do_not_pile_up(control: TokenState) -> None:
    gone = 0
    for second in range(1000):
        now = NOW + second
        made = delegation(expires=now + 20)
        given = token(made, expires=now + 20)
        uses = (replay_key(expires=now + 20), replay_key(expires=now + 20))
        control.commit(ExchangeCommit(uses, opens=made, token=given), now)
    for _ in range(20):
        gone += control.delete_expired(NOW + 10_000)
    # 80 seconds of four rows are kept, and the hand takes a lap to come by.
    assert 4 * 80 <= gone < 4 * 500


def test_an_id_begins_with_its_time_and_is_not_given_twice() -> None:
    ids = {generate_id(NOW) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == 32 and int(id[:8], 16) == NOW for id in ids)


TEXT = st.text(max_size=20)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.fixed_dictionaries(
        {
            "sub": TEXT,
            "agent": TEXT,
            "actors": TEXTS,
            "rule": TEXT,
            "run": TEXT,
            "audiences": TEXTS,
            "scopes": PAIRS,
            "cnf": st.builds(Confirmation, TEXT, TEXT),
            "bindings": PAIRS,
            "ttls": st.lists(st.tuples(TEXT, st.integers(0, 9**9)), max_size=2).map(
                tuple
            ),
        }
    )
)
def test_a_delegation_is_found_as_it_was_opened(
    control: TokenState, changes: dict[str, object]
) -> None:
    made = delegation(**changes)
    assert control.commit(ExchangeCommit(opens=made), NOW) == COMMITTED
    found = control.find_delegation(made.id)
    assert found == made
    assert [type(getattr(found, f.name)) for f in fields(Delegation)] == [
        type(getattr(made, f.name)) for f in fields(Delegation)
    ]
