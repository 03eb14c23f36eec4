"""Which profiles stand: signed by their owner, whole, the newest, in time."""

from collections.abc import Callable
from dataclasses import replace as but

import pytest
from msgspec.structs import replace

from answerable.baseline.profile_document import encode_profile, profile_document_digest
from answerable.baseline.profile_verification import (
    MAX_SIGNATURE_LIFETIME,
    ExpectedProfile,
    ProfileFault,
    ProfileRejected,
    build_profile_claims,
    profile_subject_id,
    verify_profile,
)
from answerable.evidence import dsse, signed_statements
from answerable.evidence.signed_note import derive_verifier_key
from answerable.model.baseline import BaselineProfile
from answerable.model.errors import VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    OwnerStatement,
    StatementType,
    VerifiedStatement,
    build_owner_key_id,
    create_position_before_logging,
)
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import ALICE, DAY, LIST, NOW, SUBJECT, learned, step

SEED = b"s" * 32
PUBLIC = derive_verifier_key("k", SEED).raw
KEY = build_owner_key_id(PUBLIC)
ANA = PersonId("person:ana@corp.example")
STORE = "store"
KEYS = signed_statements.index_enrolled_keys(
    [
        (
            create_position_before_logging(NOW),
            KeyEnrolment(
                PUBLIC, ANA, 0, NOW + 9 * MAX_SIGNATURE_LIFETIME, WrittenBy.PLATFORM, 0
            ),
        )
    ],
    [],
)
FIRST = learned((step(LIST, [{"to": ALICE}]),))
HEAD = profile_document_digest(encode_profile(FIRST))
NEXT = replace(FIRST, parent=HEAD, runs=5)
EXPECTED = ExpectedProfile(SUBJECT, ANA, (HEAD,), NOW)


def signed(
    profile: BaselineProfile, signed_at: int = NOW, /, **said: str
) -> VerifiedStatement:
    """A statement over a profile, signed and verified as the store would."""
    claimed = {
        **build_profile_claims(profile, signed_at + MAX_SIGNATURE_LIFETIME),
        **said,
    }
    statement = OwnerStatement(
        StatementType.BASELINE, profile_subject_id(SUBJECT), tuple(sorted(claimed.items())),
        signed_at, KEY, STORE,
    )  # fmt: skip
    envelope = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE,
        signed_statements.encode_payload(statement),
        KEY,
        SEED,
    )
    return signed_statements.verify_statement(
        dsse.encode_envelope(envelope),
        KEYS,
        create_position_before_logging(signed_at),
        STORE,
    )


def test_what_its_owner_signed_stands_as_the_first_the_next_and_the_one_in_force() -> (
    None
):
    assert verify_profile(encode_profile(NEXT), signed(NEXT), EXPECTED) == NEXT
    assert (
        verify_profile(
            encode_profile(FIRST), signed(FIRST), but(EXPECTED, accepted_digests=())
        )
        == FIRST
    )
    assert verify_profile(encode_profile(FIRST), signed(FIRST), EXPECTED) == FIRST


STALE = replace(NEXT, until=NOW // 10**9)
OTHERS = replace(NEXT, subject=replace(SUBJECT, agent="agent:declared/other"))

REFUSED: dict[str, tuple[ProfileFault, Callable[[], BaselineProfile]]] = {
    "unsigned": (
        ProfileFault.UNSIGNED,
        lambda: verify_profile(encode_profile(NEXT), None, EXPECTED),
    ),
    "another person": (
        ProfileFault.NOT_OWNER,
        lambda: verify_profile(
            encode_profile(NEXT), signed(NEXT), but(EXPECTED, owner="person:eve")
        ),
    ),
    "tampered": (
        ProfileFault.TAMPERED,
        lambda: verify_profile(
            encode_profile(replace(NEXT, runs=6)), signed(NEXT), EXPECTED
        ),
    ),
    "a root that was not signed": (
        ProfileFault.TAMPERED,
        lambda: verify_profile(encode_profile(NEXT), signed(NEXT, root="ab"), EXPECTED),
    ),
    "a parent that was not signed": (
        ProfileFault.TAMPERED,
        lambda: verify_profile(encode_profile(NEXT), signed(NEXT, parent=""), EXPECTED),
    ),
    "unreadable": (
        ProfileFault.UNREADABLE,
        lambda: verify_profile(
            b"{}", signed(NEXT, profile=profile_document_digest(b"{}")), EXPECTED
        ),
    ),
    "replayed": (
        ProfileFault.REPLAYED,
        lambda: verify_profile(
            encode_profile(FIRST),
            signed(FIRST),
            but(
                EXPECTED,
                accepted_digests=(HEAD, profile_document_digest(encode_profile(NEXT))),
            ),
        ),
    ),
    "re-parented": (
        ProfileFault.REPARENTED,
        lambda: verify_profile(
            encode_profile(replace(NEXT, parent="ab")),
            signed(replace(NEXT, parent="ab")),
            EXPECTED,
        ),
    ),
    "a first one where one stands": (
        ProfileFault.REPARENTED,
        lambda: verify_profile(
            encode_profile(replace(NEXT, parent="")),
            signed(replace(NEXT, parent="")),
            EXPECTED,
        ),
    ),
    "expired": (
        ProfileFault.EXPIRED,
        lambda: verify_profile(
            encode_profile(NEXT),
            signed(NEXT, expires=str(NOW + 5)),
            but(EXPECTED, now=NOW + 5),
        ),
    ),
    "signed for ever": (
        ProfileFault.EXPIRED,
        lambda: verify_profile(
            encode_profile(NEXT),
            signed(NEXT, expires=str(NOW + 2 * MAX_SIGNATURE_LIFETIME)),
            EXPECTED,
        ),
    ),
    "stale": (
        ProfileFault.STALE,
        lambda: verify_profile(encode_profile(STALE), signed(STALE), EXPECTED),
    ),
    "of another subject": (
        ProfileFault.OTHER_SUBJECT,
        lambda: verify_profile(encode_profile(OTHERS), signed(OTHERS), EXPECTED),
    ),
    "for another subject": (
        ProfileFault.OTHER_SUBJECT,
        lambda: verify_profile(
            encode_profile(NEXT), signed(NEXT), but(EXPECTED, subject=OTHERS.subject)
        ),
    ),
    "of another learner": (
        ProfileFault.OTHER_LEARNER,
        lambda: verify_profile(
            encode_profile(replace(NEXT, learner="x")),
            signed(replace(NEXT, learner="x")),
            EXPECTED,
        ),
    ),
    "another claim": (
        ProfileFault.OTHER_TYPE,
        lambda: verify_profile(encode_profile(NEXT), signed(NEXT, more="x"), EXPECTED),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_does_not_stand(name: str) -> None:
    fallen, asked = REFUSED[name]
    with pytest.raises(ProfileRejected) as refused:
        asked()
    assert refused.value.fallen is fallen
    assert refused.value.hint


def test_a_statement_of_another_type_says_nothing_of_a_profile() -> None:
    verified = signed(NEXT)
    attested = but(
        verified, statement=but(verified.statement, type=StatementType.ATTESTATION)
    )
    with pytest.raises(ProfileRejected) as refused:
        verify_profile(encode_profile(NEXT), attested, EXPECTED)
    assert refused.value.fallen is ProfileFault.OTHER_TYPE


def test_an_envelope_signed_by_no_enrolled_key_never_gets_here() -> None:
    statement = signed(NEXT).statement
    forged = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE,
        signed_statements.encode_payload(statement),
        KEY,
        b"e" * 32,
    )
    with pytest.raises(VerificationError):
        signed_statements.verify_statement(
            dsse.encode_envelope(forged),
            KEYS,
            create_position_before_logging(NOW),
            STORE,
        )


def test_a_day_later_it_still_stands_and_ninety_days_later_it_does_not() -> None:
    later = but(EXPECTED, now=NOW + DAY)
    assert verify_profile(encode_profile(NEXT), signed(NEXT), later) == NEXT
    with pytest.raises(ProfileRejected):
        verify_profile(
            encode_profile(NEXT),
            signed(NEXT),
            but(EXPECTED, now=NOW + MAX_SIGNATURE_LIFETIME),
        )
