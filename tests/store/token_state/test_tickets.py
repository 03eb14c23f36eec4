"""Tickets: each is consumed once, under its own active delegation."""

from msgspec import structs

from answerable.store.token_state.interface import (
    COMMITTED,
    CommitOutcome,
    ExchangeCommit,
    TokenState,
)
from tests.store.token_state.sample_rows import (
    NOW,
    delegation,
    open_delegation,
    replay_key,
    ticket,
)


def test_a_ticket_is_taken_once(control: TokenState) -> None:
    root = open_delegation(control)
    made = ticket(root)
    assert control.store_ticket(made, NOW) == COMMITTED
    assert control.find_ticket(made.sha256, NOW) == made
    asked = ExchangeCommit(ticket=made.sha256, under=root.id, opens=delegation(root))
    assert control.commit(asked, NOW) == COMMITTED
    assert control.find_ticket(made.sha256, NOW) is None
    again = structs.replace(asked, opens=delegation(root))
    assert control.commit(again, NOW).outcome is CommitOutcome.TICKET


def test_a_ticket_survives_an_exchange_that_is_refused(control: TokenState) -> None:
    root, one = open_delegation(control), replay_key()
    made = ticket(root)
    control.store_ticket(made, NOW)
    control.record_single_use_key(one, NOW)
    asked = ExchangeCommit((one,), made.sha256, root.id, delegation(root))
    assert control.commit(asked, NOW).outcome is CommitOutcome.SEEN
    assert control.find_ticket(made.sha256, NOW) == made


def test_a_ticket_of_another_delegation_is_not_taken(control: TokenState) -> None:
    mine, theirs = open_delegation(control), open_delegation(control)
    made = ticket(theirs)
    control.store_ticket(made, NOW)
    spliced = ExchangeCommit(ticket=made.sha256, under=mine.id, opens=delegation(mine))
    assert control.commit(spliced, NOW).outcome is CommitOutcome.TICKET
    assert control.find_ticket(made.sha256, NOW) == made


def test_a_ticket_ends(control: TokenState) -> None:
    root = open_delegation(control)
    made = ticket(root, expires=NOW + 60)
    control.store_ticket(made, NOW)
    assert control.find_ticket(made.sha256, NOW + 60) == made
    assert control.find_ticket(made.sha256, NOW + 61) is None
    asked = ExchangeCommit(ticket=made.sha256, under=root.id, opens=delegation(root))
    assert control.commit(asked, NOW + 61).outcome is CommitOutcome.TICKET


def test_a_dead_delegation_hands_out_no_ticket(control: TokenState) -> None:
    root = open_delegation(control)
    before = ticket(root)
    control.store_ticket(before, NOW)
    control.revoke_delegation(root.id, NOW)
    assert control.store_ticket(ticket(root), NOW).outcome is CommitOutcome.DEAD
    assert control.find_ticket(before.sha256, NOW) is None
