"""A signed policy exception is valid while its signer owns the agent, and no longer."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from answerable.authorization.exception_validity import index_exceptions
from answerable.authorization.policy_exceptions import apply_exceptions
from answerable.evidence import dsse
from answerable.model.decision import (
    AuthorizationRequest,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import StatementType
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    NO_ARGUMENTS,
    PolicyExceptionInvalidity,
)
from answerable.services.statements import key_enrolment
from answerable.services.statements.policy_exceptions import (
    PolicyExceptionReader,
    read_policy_exceptions,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import (
    answer_approval_requests,
    list_approval_requests,
)
from tests.connectors.gateway.spool_files import DENY
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases.exception_statements import (
    WANTED,
    act,
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
    scan,
    signer,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_what_the_owner_signs_stands_until_it_ends(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    assert stands(owned)
    assert stands(owned, NOW + HOUR - 1)
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.ENDED


def test_one_without_an_end_ends_with_the_attestation(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned, act(until="always"))))
    assert stands(owned, NOW + 179 * DAY)
    assert fallen(owned, NOW + 180 * DAY) is PolicyExceptionInvalidity.NOT_OWNER


def test_it_falls_with_the_owner_and_with_whoever_left(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned, act(until="always"))))
    attest(owned, B, BEN, AGENT, at=NOW + HOUR)
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.NOT_OWNER
    attest(owned, A, ANA, AGENT, at=NOW + 2 * HOUR)
    assert stands(owned, NOW + 2 * HOUR)
    scan(owned, "ana@corp.example", at=NOW + 3 * HOUR)
    assert fallen(owned, NOW + 3 * HOUR) is PolicyExceptionInvalidity.NOT_OWNER


Made = Callable[[EvidenceStore], bytes]
TAMPERED: dict[str, tuple[Made, str]] = {
    "another's signature": (lambda s: signed(said(s), B), "is not signed by the key"),
    "for another store": (
        lambda s: signed(said(s, here="answerable.local/00+00+AA")),
        "for another store",
    ),
    "by somebody who is not the owner": (
        lambda s: signed(said(s, person=BEN, key=B), B),
        "signer-not-the-owner",
    ),
    "in the name of the owner": (
        lambda s: signed(said(s, key=B), B),
        "expected a key of",
    ),
    "by a key that nobody enrolled": (
        lambda s: signed(said(s, key=signer("c")), signer("c")),
        "not enrolled",
    ),
    "for an agent of another owner": (
        lambda s: signed(said(s, agent=OTHER)),
        "signer-not-the-owner",
    ),
    "without an end that is one": (
        lambda s: signed(said(s, act(until="soon"))),
        "exceeds its maximum lifetime",
    ),
    "for longer than a year": (
        lambda s: signed(said(s, act(until=str(NOW + 400 * DAY)))),
        "exceeds its maximum lifetime",
    ),
    "for what has another type": (
        lambda s: signed(said(s, act(target="session"))),
        "an exception can allow",
    ),
    "for arguments that are no digest": (
        lambda s: signed(said(s, act(arguments=""))),
        "an exception can allow",
    ),
    "with a claim more": (lambda s: signed(said(s, act(also="x"))), "another type"),
    "as another kind of statement": (
        lambda s: signed(said(s, kind=StatementType.ATTESTATION)),
        "another type",
    ),
    "signed tomorrow": (
        lambda s: signed(said(s, act(until=str(NOW + 2 * DAY)), at=NOW + DAY)),
        "in the future",
    ),
    "signed two days ago": (
        lambda s: signed(said(s, at=NOW - 2 * DAY)),
        "was not valid yet",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_not_signed_so_does_not_stand(owned: EvidenceStore, how: str) -> None:
    make, why = TAMPERED[how]
    put(owned, make(owned))
    found = read_policy_exceptions(owned, NOW + 1)
    assert found.active == ()
    told = [each.why for each in found.rejected]
    if told:
        listed = list_approval_requests.list_policy_exceptions(owned, now=NOW + 1)
        assert (listed.items, listed.searched.startswith("1 signed; ")) == ([], True)
        assert why in listed.searched
    told += [str(each.invalidity) for each in found.statuses]
    assert [why in each for each in told] == [True], told


def test_an_envelope_that_was_changed_after_it_was_signed_is_told(
    owned: EvidenceStore,
) -> None:
    envelope = dsse.decode_envelope(signed(said(owned)))
    wider = envelope.payload.replace(b'"arguments":"' + b"ab" * 32, b'"arguments":"any')
    assert wider != envelope.payload
    put(owned, dsse.encode_envelope(replace(envelope, payload=wider)))
    found = read_policy_exceptions(owned, NOW + 1)
    assert found.active == ()
    (unheld,) = found.rejected
    assert "is not signed by the key" in unheld.why


def test_a_revoked_key_takes_its_amendments_along(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    watched = PolicyExceptionReader(owned)
    assert watched.read(NOW + 1).active
    key_enrolment.revoke_owner_key(owned, A.id, since=NOW - DAY, uid=0, now=NOW + 2)
    assert not watched.read(NOW + 3).active


def test_what_was_taken_back_stays_so_however_often_it_is_recorded(
    owned: EvidenceStore,
) -> None:
    put(owned, signed(said(owned)))
    (judged,) = read_policy_exceptions(owned, NOW + 1).statuses
    answer_approval_requests.sign_revocation(
        owned, judged.exception.id[:12], A, now=NOW + 1
    )
    put(owned, signed(said(owned)), NOW + 2)
    assert fallen(owned, NOW + 3) is PolicyExceptionInvalidity.REVOKED


def test_nobody_else_takes_an_amendment_back(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    (judged,) = read_policy_exceptions(owned, NOW + 1).statuses
    with pytest.raises(VerificationError, match="neither the signer"):
        answer_approval_requests.sign_revocation(
            owned, judged.exception.id, B, now=NOW + 1
        )
    forged = {"amendment": judged.exception.id}
    kind = StatementType.AMENDMENT_REVOKED
    put(owned, signed(said(owned, forged, kind, person=BEN, key=B), B))
    assert stands(owned)


# Effect on decisions.

REQUEST = AuthorizationRequest(
    AGENT,
    True,
    "files",
    "tools/call",
    TargetKind.TOOL,
    "write",
    "r",
    "p",
    arguments=b"{}",
)
_DIGEST = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}


@pytest.mark.parametrize("reason", DecisionReason)
def test_an_owner_lifts_what_is_an_owners_and_two_persons_a_little_more(
    owned: EvidenceStore, reason: DecisionReason
) -> None:
    put(owned, signed(said(owned, act(arguments=_DIGEST))))
    by_owner = {DecisionReason.NO_RULE, DecisionReason.ASKED, DecisionReason.BEHAVIOUR}
    decision = replace(DENY, reason=reason)
    before = index_exceptions(read_policy_exceptions(owned, NOW + 1).active)
    lifted = apply_exceptions(before, REQUEST, decision)
    assert (lifted.effect is DecisionEffect.ALLOW) == (reason in by_owner)
    answer_approval_requests.confirm_break_glass(owned, broken(owned), B, now=NOW + 1)
    after = index_exceptions(read_policy_exceptions(owned, NOW + 2).active)
    lifted = apply_exceptions(after, REQUEST, decision)
    by_two = by_owner | {DecisionReason.FORBIDDEN, DecisionReason.PARENT}
    assert (lifted.effect is DecisionEffect.ALLOW) == (reason in by_two)


def test_no_arguments_are_not_any_arguments(owned: EvidenceStore) -> None:
    none = replace(WANTED, arguments="")
    put(owned, signed(said(owned, act(none))))
    in_force = index_exceptions(read_policy_exceptions(owned, NOW + 1).active)
    for arguments, passes in ((b"", True), (b"{}", False), (b'{"a":1}', False)):
        asked = msgspec.structs.replace(REQUEST, arguments=arguments)
        assert apply_exceptions(in_force, asked, DENY).passes is passes
    assert act(none)["arguments"] == NO_ARGUMENTS != ANY_ARGUMENTS
