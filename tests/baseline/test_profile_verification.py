"""Which profiles stand: signed by their owner, whole, the newest, in time."""

from collections.abc import Callable
from dataclasses import replace as but

import pytest
from msgspec.structs import replace

from answerable.baseline.profile_document import digest, encode
from answerable.baseline.profile_verification import (
    LIFE,
    Expected,
    Fallen,
    ProfileRefused,
    claims,
    stands,
    subject_id,
)
from answerable.evidence import dsse, signed_statements
from answerable.evidence.note import public_key
from answerable.model.baseline import Profile
from answerable.model.errors import VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_key import (
    Enrolment,
    Statement,
    StatementType,
    Verified,
    owner_key_id,
    unrecorded,
)
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import ALICE, DAY, LIST, NOW, SUBJECT, learned, step

SEED = b"s" * 32
PUBLIC = public_key("k", SEED).raw
KEY = owner_key_id(PUBLIC)
ANA = PersonId("person:ana@corp.example")
STORE = "store"
KEYS = signed_statements.keys_of(
    [
        (
            unrecorded(NOW),
            Enrolment(PUBLIC, ANA, 0, NOW + 9 * LIFE, WrittenBy.PLATFORM, 0),
        )
    ],
    [],
)
FIRST = learned((step(LIST, [{"to": ALICE}]),))
HEAD = digest(encode(FIRST))
NEXT = replace(FIRST, parent=HEAD, runs=5)
EXPECTED = Expected(SUBJECT, ANA, (HEAD,), NOW)


def signed(profile: Profile, signed_at: int = NOW, /, **said: str) -> Verified:
    """A statement over a profile, signed and verified as the store would."""
    claimed = {**claims(profile, signed_at + LIFE), **said}
    statement = Statement(
        StatementType.BASELINE, subject_id(SUBJECT), tuple(sorted(claimed.items())),
        signed_at, KEY, STORE,
    )  # fmt: skip
    envelope = dsse.sign(
        signed_statements.PAYLOAD_TYPE, signed_statements.payload(statement), KEY, SEED
    )
    return signed_statements.verify(
        dsse.encode(envelope), KEYS, unrecorded(signed_at), STORE
    )


def test_what_its_owner_signed_stands_as_the_first_the_next_and_the_one_in_force() -> (
    None
):
    assert stands(encode(NEXT), signed(NEXT), EXPECTED) == NEXT
    assert stands(encode(FIRST), signed(FIRST), but(EXPECTED, line=())) == FIRST
    assert stands(encode(FIRST), signed(FIRST), EXPECTED) == FIRST


STALE = replace(NEXT, until=NOW // 10**9)
OTHERS = replace(NEXT, subject=replace(SUBJECT, agent="agent:declared/other"))

REFUSED: dict[str, tuple[Fallen, Callable[[], Profile]]] = {
    "unsigned": (Fallen.UNSIGNED, lambda: stands(encode(NEXT), None, EXPECTED)),
    "another person": (
        Fallen.NOT_OWNER,
        lambda: stands(encode(NEXT), signed(NEXT), but(EXPECTED, owner="person:eve")),
    ),
    "tampered": (
        Fallen.TAMPERED,
        lambda: stands(encode(replace(NEXT, runs=6)), signed(NEXT), EXPECTED),
    ),
    "a root that was not signed": (
        Fallen.TAMPERED,
        lambda: stands(encode(NEXT), signed(NEXT, root="ab"), EXPECTED),
    ),
    "a parent that was not signed": (
        Fallen.TAMPERED,
        lambda: stands(encode(NEXT), signed(NEXT, parent=""), EXPECTED),
    ),
    "unreadable": (
        Fallen.UNREADABLE,
        lambda: stands(b"{}", signed(NEXT, profile=digest(b"{}")), EXPECTED),
    ),
    "replayed": (
        Fallen.REPLAYED,
        lambda: stands(
            encode(FIRST),
            signed(FIRST),
            but(EXPECTED, line=(HEAD, digest(encode(NEXT)))),
        ),
    ),
    "re-parented": (
        Fallen.REPARENTED,
        lambda: stands(
            encode(replace(NEXT, parent="ab")),
            signed(replace(NEXT, parent="ab")),
            EXPECTED,
        ),
    ),
    "a first one where one stands": (
        Fallen.REPARENTED,
        lambda: stands(
            encode(replace(NEXT, parent="")), signed(replace(NEXT, parent="")), EXPECTED
        ),
    ),
    "expired": (
        Fallen.EXPIRED,
        lambda: stands(
            encode(NEXT), signed(NEXT, expires=str(NOW + 5)), but(EXPECTED, now=NOW + 5)
        ),
    ),
    "signed for ever": (
        Fallen.EXPIRED,
        lambda: stands(
            encode(NEXT), signed(NEXT, expires=str(NOW + 2 * LIFE)), EXPECTED
        ),
    ),
    "stale": (Fallen.STALE, lambda: stands(encode(STALE), signed(STALE), EXPECTED)),
    "of another subject": (
        Fallen.OTHER_SUBJECT,
        lambda: stands(encode(OTHERS), signed(OTHERS), EXPECTED),
    ),
    "for another subject": (
        Fallen.OTHER_SUBJECT,
        lambda: stands(
            encode(NEXT), signed(NEXT), but(EXPECTED, subject=OTHERS.subject)
        ),
    ),
    "of another learner": (
        Fallen.OTHER_LEARNER,
        lambda: stands(
            encode(replace(NEXT, learner="x")),
            signed(replace(NEXT, learner="x")),
            EXPECTED,
        ),
    ),
    "another claim": (
        Fallen.OTHER_TYPE,
        lambda: stands(encode(NEXT), signed(NEXT, more="x"), EXPECTED),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_does_not_stand(name: str) -> None:
    fallen, asked = REFUSED[name]
    with pytest.raises(ProfileRefused) as refused:
        asked()
    assert refused.value.fallen is fallen
    assert refused.value.hint


def test_a_statement_of_another_type_says_nothing_of_a_profile() -> None:
    verified = signed(NEXT)
    attested = but(
        verified, statement=but(verified.statement, type=StatementType.ATTESTATION)
    )
    with pytest.raises(ProfileRefused) as refused:
        stands(encode(NEXT), attested, EXPECTED)
    assert refused.value.fallen is Fallen.OTHER_TYPE


def test_an_envelope_signed_by_no_enrolled_key_never_gets_here() -> None:
    statement = signed(NEXT).statement
    forged = dsse.sign(
        signed_statements.PAYLOAD_TYPE,
        signed_statements.payload(statement),
        KEY,
        b"e" * 32,
    )
    with pytest.raises(VerificationError):
        signed_statements.verify(dsse.encode(forged), KEYS, unrecorded(NOW), STORE)


def test_a_day_later_it_still_stands_and_ninety_days_later_it_does_not() -> None:
    later = but(EXPECTED, now=NOW + DAY)
    assert stands(encode(NEXT), signed(NEXT), later) == NEXT
    with pytest.raises(ProfileRefused):
        stands(encode(NEXT), signed(NEXT), but(EXPECTED, now=NOW + LIFE))
