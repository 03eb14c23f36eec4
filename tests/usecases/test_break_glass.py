"""Break-glass: two persons confirm it, for one agent and a short time."""

from dataclasses import replace

import pytest

from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import StatementType
from answerable.model.policy_exception import PolicyExceptionInvalidity
from answerable.services.statements import key_enrolment
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from tests.inventory.fact_builders import NOW
from tests.usecases.exception_statements import (
    WANTED,
    broken,
    fallen,
    put,
    said,
    signed,
    stands,
)
from tests.usecases.owned_store import (
    AGENT,
    ANA,
    BEN,
    HOUR,
    OTHER,
    A,
    B,
    attest,
    enroll,
    signer,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_two_persons_break_the_glass_and_one_does_not(owned: EvidenceStore) -> None:
    start = broken(owned)
    assert fallen(owned) is PolicyExceptionInvalidity.UNCONFIRMED
    with pytest.raises(VerificationError, match="first half"):
        answer_approval_requests.confirm_break_glass(owned, start, A, now=NOW + 1)
    answer_approval_requests.confirm_break_glass(owned, start, B, now=NOW + 1)
    (amendment,) = read_policy_exceptions(owned, NOW + 2).active
    assert amendment.persons == (ANA, BEN)
    assert amendment.arguments == ""
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.ENDED


@pytest.mark.parametrize("is_recorded_before", [True, False])
def test_the_first_key_has_to_be_in_force_when_the_second_confirms(
    owned: EvidenceStore, is_recorded_before: bool
) -> None:
    start = broken(owned)
    if not is_recorded_before:
        answer_approval_requests.confirm_break_glass(owned, start, B, now=NOW + 1)
    key_enrolment.revoke_owner_key(owned, A.id, since=NOW + 2, uid=0, now=NOW + 2)
    if not is_recorded_before:
        # What was in force by then goes on: `asks revoke` ends it.
        assert fallen(owned, NOW + 3) is None
        return
    with pytest.raises(VerificationError, match="no longer valid"):
        answer_approval_requests.confirm_break_glass(owned, start, B, now=NOW + 3)
    forged = said(
        owned,
        {"start": start},
        StatementType.BREAK_GLASS_CONFIRMED,
        person=BEN,
        key=B,
        at=NOW + 3,
    )
    put(owned, signed(forged, B), NOW + 3)
    assert fallen(owned, NOW + 4) is PolicyExceptionInvalidity.KEY_GONE


def test_one_person_with_two_keys_is_one_person(owned: EvidenceStore) -> None:
    other = signer("c")
    enroll(owned, other, ANA)
    start = broken(owned)
    with pytest.raises(VerificationError, match="another person"):
        answer_approval_requests.confirm_break_glass(owned, start, other, now=NOW + 1)
    forged = said(
        owned,
        {"start": start},
        StatementType.BREAK_GLASS_CONFIRMED,
        key=other,
    )
    put(owned, signed(forged, other))
    assert fallen(owned) is PolicyExceptionInvalidity.SAME_PERSON


def test_whoever_answers_for_nothing_is_no_second_person(owned: EvidenceStore) -> None:
    eve, key = PersonId("person:eve@corp.example"), signer("e")
    enroll(owned, key, eve)
    start = broken(owned)
    with pytest.raises(VerificationError, match="not an attested owner"):
        answer_approval_requests.confirm_break_glass(owned, start, key, now=NOW + 1)
    kind = StatementType.BREAK_GLASS_CONFIRMED
    put(owned, signed(said(owned, {"start": start}, kind, person=eve, key=key), key))
    assert fallen(owned) is PolicyExceptionInvalidity.NOT_ATTESTED


def test_one_of_the_two_answers_for_the_agent(owned: EvidenceStore) -> None:
    eve, key = PersonId("person:eve@corp.example"), signer("e")
    enroll(owned, key, eve)
    attest(owned, key, eve, "agent:declared/three")
    start = broken(owned, key)
    with pytest.raises(VerificationError, match="is the attested owner"):
        answer_approval_requests.confirm_break_glass(owned, start, B, now=NOW + 1)
    answer_approval_requests.confirm_break_glass(owned, start, A, now=NOW + 1)
    assert stands(owned)
    attest(owned, B, BEN, AGENT, at=NOW + 2)
    assert not stands(owned, NOW + 3)


def test_a_confirmation_is_of_one_start_alone(owned: EvidenceStore) -> None:
    """Nothing that was confirmed is hung below another start."""
    first = broken(owned)
    answer_approval_requests.confirm_break_glass(owned, first, B, now=NOW + 1)
    later = replace(WANTED, name="delete", arguments="")
    term = ExceptionTerm(HOUR, any_arguments=True)
    answer_approval_requests.start_break_glass(owned, later, A, term, now=NOW + 2)
    (amendment,) = read_policy_exceptions(owned, NOW + 3).active
    assert amendment.name == "write"
    other = answer_approval_requests.start_break_glass(
        owned, replace(later, agent=OTHER), A, term, now=NOW + 2
    ).items[0]["id"]
    kind = StatementType.BREAK_GLASS_CONFIRMED
    wrong = said(owned, {"start": str(other)}, kind, agent=AGENT, person=BEN, key=B)
    put(owned, signed(wrong, B))
    states = {
        j.exception.id: j.invalidity
        for j in read_policy_exceptions(owned, NOW + 3).statuses
    }
    assert states[str(other)] is PolicyExceptionInvalidity.OTHER_AGENT


def test_a_break_glass_is_short_and_is_confirmed_soon(owned: EvidenceStore) -> None:
    with pytest.raises(VerificationError, match="exceeds its maximum lifetime"):
        broken(owned, life=5 * HOUR)
    start = broken(owned, life=4 * HOUR)
    kind = StatementType.BREAK_GLASS_CONFIRMED
    late = said(owned, {"start": start}, kind, person=BEN, key=B, at=NOW + 2 * HOUR)
    put(owned, signed(late, B), NOW + 2 * HOUR)
    assert fallen(owned, NOW + 2 * HOUR) is PolicyExceptionInvalidity.LATE
    with pytest.raises(UsageError, match="does not await"):
        answer_approval_requests.confirm_break_glass(
            owned, start, B, now=NOW + 2 * HOUR
        )
