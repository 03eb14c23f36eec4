"""What is remembered: once is once, the dead stay dead, and all or nothing."""

from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from answerable.model.claims import Confirmation
from answerable.model.delegation import Delegation
from answerable.store.token_state.interface import (
    DONE,
    MARGIN,
    Chain,
    Control,
    Dead,
    Died,
    Exchange,
    IdTaken,
    Outcome,
    new_id,
)
from tests.store.token_state.conftest import Opens
from tests.store.token_state.sample_rows import (
    BOT,
    NOW,
    delegation,
    key,
    line,
    opened,
    ticket,
    token,
    use,
)


def test_a_thing_is_seen_once(control: Control) -> None:
    one, other = use(), use()
    assert control.see(one, NOW) is Outcome.DONE
    assert control.see(one, NOW) is Outcome.SEEN
    assert control.see(other, NOW) is Outcome.DONE


def test_what_one_process_saw_the_other_has_seen(opens: Opens) -> None:
    first, second, one = opens(), opens(), use()
    assert first.see(one, NOW) is Outcome.DONE
    assert second.see(one, NOW) is Outcome.SEEN


def test_an_exchange_is_remembered_whole(control: Control) -> None:
    made = delegation()
    given = token(made)
    asked = Exchange(uses=(use(), use()), opens=made, token=given)
    assert control.commit(asked, NOW) == DONE
    assert control.delegation(made.id) == made
    assert control.token(given.delegation, given.jti) == given
    assert control.chain(made.id, NOW) == Chain((made,))


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_an_exchange_with_one_thing_seen_before_changes_nothing(
    control: Control, seen: int
) -> None:
    uses = (use(), use(), use())
    control.see(uses[seen], NOW)
    made = delegation()
    asked = Exchange(uses=uses, opens=made, token=token(made))
    answer = control.commit(asked, NOW)
    assert (answer.outcome, answer.use) == (Outcome.SEEN, uses[seen])
    assert control.delegation(made.id) is None
    others = [each for each in uses if each != uses[seen]]
    assert [control.see(each, NOW) for each in others] == [Outcome.DONE] * 2


def test_one_thing_twice_in_an_exchange_is_seen(control: Control) -> None:
    one = use()
    assert control.commit(Exchange((one, one)), NOW).outcome is Outcome.SEEN
    assert control.see(one, NOW) is Outcome.DONE


def test_nothing_is_done_under_an_unknown_delegation(control: Control) -> None:
    unknown = delegation()
    child, one = delegation(unknown), use()
    answer = control.commit(Exchange((one,), under=unknown.id, opens=child), NOW)
    assert (answer.outcome, answer.dead) == (Outcome.DEAD, unknown.id)
    assert answer.why is Dead.UNKNOWN
    assert control.see(one, NOW) is Outcome.DONE


@pytest.mark.parametrize("revoked", range(4))
def test_who_is_below_a_revoked_delegation_dies_with_it(
    control: Control, revoked: int
) -> None:
    links = line(control, 4)
    died = control.revoke_delegation(links[revoked].id, NOW)
    assert died.delegations == tuple(link.id for link in links[revoked:])
    assert len(died.tokens) == 4 - revoked
    for position, link in enumerate(links):
        chain = control.chain(link.id, NOW)
        assert chain.links == tuple(reversed(links[: position + 1]))
        assert chain.live is (position < revoked)
        child = delegation(link)
        answer = control.commit(Exchange(under=link.id, opens=child), NOW)
        expected = Outcome.DONE if position < revoked else Outcome.DEAD
        assert answer.outcome is expected
        if expected is Outcome.DEAD:
            assert (answer.dead, answer.why) == (links[revoked].id, Dead.REVOKED)


def test_revoking_twice_ends_nothing_more(control: Control) -> None:
    root = opened(control)
    assert control.revoke_delegation(root.id, NOW).delegations == (root.id,)
    assert control.revoke_delegation(root.id, NOW) == Died()
    assert control.revoke_delegation("0" * 32, NOW) == Died()


def test_a_parent_that_expired_takes_its_children_along(control: Control) -> None:
    parent = opened(control, expires=NOW + 10)
    child = opened(control, parent, expires=NOW + 3600)
    assert control.chain(child.id, NOW + 10).live
    chain = control.chain(child.id, NOW + 11)
    assert (chain.dead, chain.why) == (parent.id, Dead.EXPIRED)
    renewal = Exchange(under=child.id, token=token(child))
    assert control.commit(renewal, NOW + 11).outcome is Outcome.DEAD


def test_a_parent_that_was_swept_away_takes_its_children_along(
    control: Control,
) -> None:
    parent = opened(control, expires=NOW + 10)
    child = opened(control, parent, expires=NOW + 3600)
    later = NOW + 11 + MARGIN
    assert control.sweep(later) == 1
    chain = control.chain(child.id, later)
    assert (chain.links, chain.dead, chain.why) == ((child,), parent.id, Dead.UNKNOWN)


def test_children_are_those_directly_below(control: Control) -> None:
    root = opened(control)
    children = [opened(control, root) for _ in range(3)]
    opened(control, children[0])
    assert control.children(root.id) == tuple(children)
    assert control.children(children[1].id) == ()


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
    control: Control, subject: str, whom: list[int]
) -> None:
    links = line(control, 3)
    other = opened(
        control, agent="agent:x/y", sub="person:c", owner="person:d", rule="z"
    )
    named = tuple(sorted(links[at].id for at in whom))
    # What was given is told before and after: a kill that is repeated says it again.
    assert control.given_to(subject, NOW) == named
    died = control.revoke_subject(subject, NOW)
    assert tuple(sorted(died.delegations)) == named
    assert control.chain(other.id, NOW).live
    assert control.revoke_subject(subject, NOW).delegations == ()
    assert control.given_to(subject, NOW) == named


def test_a_run_is_a_delegation(control: Control) -> None:
    root, other = opened(control), opened(control)
    died = control.revoke_subject(f"run:{root.id}", NOW)
    assert died.delegations == (root.id,)
    assert control.chain(other.id, NOW).live
    assert control.given_to(f"run:{root.id}", NOW) == (root.id,)
    assert control.given_to("run:nobody", NOW) == ()


def test_what_was_given_is_told_until_no_token_of_it_can_be_shown(
    control: Control,
) -> None:
    early, late = opened(control, expires=NOW + 10), opened(control, expires=NOW + 20)
    below = opened(control, early, expires=NOW + 10)
    both = tuple(sorted((early.id, below.id)))
    subject = str(early.agent)
    assert set(control.given_to(subject, NOW + 10 + MARGIN)) == {*both, late.id}
    assert control.given_to(f"run:{early.id}", NOW + 10 + MARGIN) == both
    assert control.given_to(f"run:{early.id}", NOW + 11 + MARGIN) == ()
    assert control.given_to(subject, NOW + 11 + MARGIN) == (late.id,)


def test_a_ticket_is_taken_once(control: Control) -> None:
    root = opened(control)
    made = ticket(root)
    assert control.put_ticket(made, NOW) == DONE
    assert control.ticket(made.sha256, NOW) == made
    asked = Exchange(ticket=made.sha256, under=root.id, opens=delegation(root))
    assert control.commit(asked, NOW) == DONE
    assert control.ticket(made.sha256, NOW) is None
    again = structs.replace(asked, opens=delegation(root))
    assert control.commit(again, NOW).outcome is Outcome.TICKET


def test_a_ticket_survives_an_exchange_that_is_refused(control: Control) -> None:
    root, one = opened(control), use()
    made = ticket(root)
    control.put_ticket(made, NOW)
    control.see(one, NOW)
    asked = Exchange((one,), made.sha256, root.id, delegation(root))
    assert control.commit(asked, NOW).outcome is Outcome.SEEN
    assert control.ticket(made.sha256, NOW) == made


def test_a_ticket_of_another_delegation_is_not_taken(control: Control) -> None:
    mine, theirs = opened(control), opened(control)
    made = ticket(theirs)
    control.put_ticket(made, NOW)
    spliced = Exchange(ticket=made.sha256, under=mine.id, opens=delegation(mine))
    assert control.commit(spliced, NOW).outcome is Outcome.TICKET
    assert control.ticket(made.sha256, NOW) == made


def test_a_ticket_ends(control: Control) -> None:
    root = opened(control)
    made = ticket(root, expires=NOW + 60)
    control.put_ticket(made, NOW)
    assert control.ticket(made.sha256, NOW + 60) == made
    assert control.ticket(made.sha256, NOW + 61) is None
    asked = Exchange(ticket=made.sha256, under=root.id, opens=delegation(root))
    assert control.commit(asked, NOW + 61).outcome is Outcome.TICKET


def test_a_dead_delegation_hands_out_no_ticket(control: Control) -> None:
    root = opened(control)
    before = ticket(root)
    control.put_ticket(before, NOW)
    control.revoke_delegation(root.id, NOW)
    assert control.put_ticket(ticket(root), NOW).outcome is Outcome.DEAD
    assert control.ticket(before.sha256, NOW) is None


def test_a_token_is_found_under_its_own_delegation_alone(control: Control) -> None:
    root, beside = opened(control), opened(control)
    one, other = token(root), token(root)
    for each in (one, other):
        control.commit(Exchange(under=root.id, token=each), NOW)
    assert control.token(root.id, one.jti) == one
    assert control.token(beside.id, one.jti) is None
    assert control.token(root.id, "unknown") is None
    ended = control.revoke_delegation(root.id, NOW + 5)
    assert {one.jti, other.jti} <= set(ended.tokens)
    assert control.token(root.id, other.jti) == replace(other, revoked=NOW + 5)
    assert control.chain(beside.id, NOW).live


def test_what_was_revoked_stays_so_for_whoever_opens_it_next(opens: Opens) -> None:
    first = opens()
    root = opened(first)
    first.revoke_delegation(root.id, NOW)
    assert not opens().chain(root.id, NOW).live


def test_no_id_is_given_twice(control: Control) -> None:
    root = opened(control)
    given, one = token(root), use()
    control.commit(Exchange(under=root.id, token=given), NOW)
    for asked in (Exchange((one,), opens=root), Exchange((one,), token=given)):
        with pytest.raises(IdTaken):
            control.commit(asked, NOW)
    made = ticket(root)
    control.put_ticket(made, NOW)
    with pytest.raises(IdTaken):
        control.put_ticket(made, NOW)
    assert control.see(one, NOW) is Outcome.DONE


def test_keys_are_published_for_all_and_a_killed_one_stays_killed(
    opens: Opens,
) -> None:
    one, other = opens(), opens()
    first, second = key("a", "two"), key("b", "one")
    one.publish_key(first)
    other.publish_key(second)
    assert one.keys() == other.keys() == (second, first)
    moved = replace(first, signs_from=NOW)
    one.publish_key(moved)
    assert other.kill_key("a", NOW + 5)
    assert not other.kill_key("a", NOW + 6)
    assert not other.kill_key("c", NOW)
    one.publish_key(moved)
    assert one.keys() == (second, replace(moved, killed=NOW + 5))
    one.remove_key("b")
    assert other.keys() == (replace(moved, killed=NOW + 5),)


def test_a_new_epoch_refuses_what_could_have_been_shown_before(
    opens: Opens,
) -> None:
    control, other = opens(), opens()
    root = opened(control)
    made = ticket(root)
    control.put_ticket(made, NOW)
    assert control.epoch() == 0
    assert control.new_epoch(NOW + 0.5) == other.epoch() == NOW + 1
    assert other.see(use(since=NOW), NOW + 1) is Outcome.PERHAPS_SEEN
    assert other.see(use(since=NOW + 1), NOW + 1) is Outcome.DONE
    assert other.ticket(made.sha256, NOW) is None
    assert other.new_epoch(NOW - 100) == NOW + 1
    assert other.chain(root.id, NOW).live


def test_what_ended_is_swept_away_and_never_seen_as_new(control: Control) -> None:
    uses = [use(expires=NOW + 10) for _ in range(50)]
    kept = use(expires=NOW + 1000)
    for each in (*uses, kept):
        control.see(each, NOW)
    assert control.sweep(NOW + 10 + MARGIN) == 0
    later = NOW + 11 + MARGIN
    assert control.sweep(later) == 50
    assert control.see(kept, later) is Outcome.SEEN
    # The clock goes back to where these were good.
    assert {control.see(each, NOW) for each in uses} == {Outcome.PERHAPS_SEEN}


def test_rows_that_ended_do_not_pile_up(control: Control) -> None:
    gone = 0
    for second in range(1000):
        now = NOW + second
        made = delegation(expires=now + 20)
        given = token(made, expires=now + 20)
        uses = (use(expires=now + 20), use(expires=now + 20))
        control.commit(Exchange(uses, opens=made, token=given), now)
    for _ in range(20):
        gone += control.sweep(NOW + 10_000)
    # 80 seconds of four rows are kept, and the hand takes a lap to come by.
    assert 4 * 80 <= gone < 4 * 500


def test_an_id_begins_with_its_time_and_is_not_given_twice() -> None:
    ids = {new_id(NOW) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == 32 and int(id[:8], 16) == NOW for id in ids)


TEXT = st.text(max_size=20)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    control: Control, changes: dict[str, object]
) -> None:
    made = delegation(**changes)
    assert control.commit(Exchange(opens=made), NOW) == DONE
    found = control.delegation(made.id)
    assert found == made
    assert [type(getattr(found, f.name)) for f in fields(Delegation)] == [
        type(getattr(made, f.name)) for f in fields(Delegation)
    ]
