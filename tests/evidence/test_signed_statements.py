"""Statements and keys: what counts, and that nothing else does."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.evidence.note import public_key
from answerable.evidence.signed_statements import Keys, StatementVoid, keys_of, why_not
from answerable.model.ids import PersonId
from answerable.model.owner_key import (
    ATTESTATION_LIFE,
    Enrolment,
    OwnerKeyId,
    Placed,
    Revocation,
    Statement,
    Void,
    owner_key_id,
    unrecorded,
)
from answerable.model.person import OwnerEvidence
from answerable.model.provenance import WrittenBy

DAY = 86_400 * 10**9
NOW = 20_000 * DAY
STORE, AGENT = "answerable.local/00+00000000+AA", "agent:declared/reporter"
ANA, BEN = PersonId("person:ana@corp.example"), PersonId("person:ben@corp.example")
SEEDS = {ANA: b"a" * 32, BEN: b"b" * 32}
PUBLIC = {person: public_key("key", seed).raw for person, seed in SEEDS.items()}
IDS = {person: owner_key_id(raw) for person, raw in PUBLIC.items()}


def enrolled(
    person: PersonId = ANA,
    key: PersonId = ANA,
    *,
    at: int = 0,
    begin: int = -100,
    end: int = 265,
) -> tuple[Placed, Enrolment]:
    """Times in days from NOW."""
    by = WrittenBy.SELF_REPORTED
    return Placed(at, NOW - 100 * DAY), Enrolment(
        PUBLIC[key], person, NOW + begin * DAY, NOW + end * DAY, by, 0
    )


def revoked(
    since: float, *, at: int, recorded: int = 0, key: PersonId = ANA
) -> tuple[Placed, Revocation]:
    return Placed(at, NOW + recorded * DAY), Revocation(
        IDS[key], NOW + int(since * DAY), WrittenBy.SELF_REPORTED, 0
    )


KEYS = keys_of([enrolled(), enrolled(BEN, BEN, at=1)], [])


def attestation(
    person: PersonId = ANA, subject: str = AGENT, at: int = NOW, **changes: object
) -> Statement:
    made = owner_attestations.attestation(
        subject, person, key=IDS[person], store=STORE, previous="", now=at
    )
    return replace(made, **changes)


def claims(said: Statement, **changes: str) -> Statement:
    return replace(said, claims=tuple(sorted({**dict(said.claims), **changes}.items())))


def signed(said: Statement, by: PersonId = ANA, keyid: str | None = None) -> bytes:
    hint = said.key if keyid is None else keyid
    envelope = dsse.sign(
        signed_statements.PAYLOAD_TYPE, signed_statements.payload(said), hint, SEEDS[by]
    )
    return dsse.encode(envelope)


def void(data: bytes, keys: Keys = KEYS, placed: Placed | None = None) -> Void:
    with pytest.raises(StatementVoid) as caught:
        owner_attestations.verify(data, keys, placed or Placed(9, NOW), STORE)
    return caught.value.void


def test_the_thumbprint_is_that_of_rfc_8037_a_3() -> None:
    public = bytes.fromhex(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert owner_key_id(public) == (
        "owner-key:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_a_statement_signed_with_an_enrolled_key_counts() -> None:
    found = owner_attestations.verify(
        signed(attestation()), KEYS, Placed(9, NOW), STORE
    )
    assert found.statement == attestation()
    assert (found.key.person, found.key.id) == (ANA, IDS[ANA])


VOID: Mapping[str, tuple[bytes, Void]] = {
    "no envelope": (b"{}", Void.UNREADABLE),
    "another's signature": (signed(attestation(), BEN), Void.SIGNATURE),
    "hint of another key": (signed(attestation(), ANA, IDS[BEN]), Void.SIGNATURE),
    "signed by another in their own name": (
        signed(attestation(key=IDS[BEN]), BEN),
        Void.OTHER_PERSON,
    ),
    "a key that nobody enrolled": (
        signed(attestation(key=OwnerKeyId("owner-key:x"))),
        Void.NOT_ENROLLED,
    ),
    "another store": (signed(attestation(store="other")), Void.OTHER_STORE),
    "another person in the claims": (
        signed(claims(attestation(), person=BEN)),
        Void.OTHER_PERSON,
    ),
    "no end": (signed(claims(attestation(), expires="")), Void.EXPIRY),
    "a later end": (
        signed(claims(attestation(), expires=str(NOW + ATTESTATION_LIFE + 1))),
        Void.EXPIRY,
    ),
    "an end before": (signed(claims(attestation(), expires="0")), Void.EXPIRY),
    "an end in other digits": (
        signed(claims(attestation(), expires="١٢٣")),
        Void.EXPIRY,
    ),
    "one claim more": (signed(claims(attestation(), more="x")), Void.OTHER_TYPE),
    "signed tomorrow": (signed(attestation(at=NOW + DAY)), Void.FROM_LATER),
    "signed long ago": (signed(attestation(at=NOW - 2 * DAY)), Void.RECORDED_LATE),
    "before the key": (signed(attestation(at=NOW - 101 * DAY)), Void.NOT_YET),
}


@pytest.mark.parametrize(("data", "why"), VOID.values(), ids=VOID.keys())
def test_what_does_not_hold_is_void_for_a_reason(data: bytes, why: Void) -> None:
    assert void(data) is why


def test_an_envelope_for_one_subject_says_nothing_of_another() -> None:
    data = signed(attestation())
    moved = json.loads(data)
    said = replace(attestation(), subject="agent:declared/other")
    moved["payload"] = json.loads(signed(said))["payload"]
    assert void(json.dumps(moved).encode()) is Void.SIGNATURE
    kept = owner_attestations.evidence(data, KEYS, Placed(9, NOW), STORE)
    assert kept is not None
    assert kept.subject == AGENT


@given(st.data())
def test_a_payload_with_any_byte_changed_never_counts(data: st.DataObject) -> None:
    envelope = dsse.decode(signed(attestation()))
    at = data.draw(st.integers(0, len(envelope.payload) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda b: b != envelope.payload[at]))
    payload = envelope.payload[:at] + bytes((other,)) + envelope.payload[at + 1 :]
    changed = dsse.encode(replace(envelope, payload=payload))
    found = owner_attestations.evidence(changed, KEYS, Placed(9, NOW), STORE)
    assert found is None or found.void
    assert found is None or not found.seen.written_by.believed


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        signed_statements.payload(attestation()) + b" ",
        signed_statements.payload(attestation()).replace(
            b'"type"', b'"type":"x","type"'
        ),
        signed_statements.payload(attestation()).replace(
            b'"subject"', b'"s":"","subject"'
        ),
        signed_statements.payload(attestation()).replace(b"owner-attestation", b"wish"),
        signed_statements.payload(attestation()).replace(str(NOW).encode(), b"1e9"),
        signed_statements.payload(attestation()).replace(
            str(NOW).encode(), b"+" + b"1"
        ),
        signed_statements.payload(attestation()).replace(
            b'"signed_at":"', b'"signed_at":"' + b"9" * 5000
        ),
    ],
)
def test_a_payload_in_another_spelling_is_no_statement(payload: bytes) -> None:
    envelope = dsse.sign(signed_statements.PAYLOAD_TYPE, payload, IDS[ANA], SEEDS[ANA])
    assert void(dsse.encode(envelope)) is Void.UNREADABLE


def test_a_payload_of_another_type_is_no_statement() -> None:
    payload = signed_statements.payload(attestation())
    envelope = dsse.sign("application/vnd.other+json", payload, IDS[ANA], SEEDS[ANA])
    assert void(dsse.encode(envelope)) is Void.OTHER_TYPE


def test_a_second_signature_by_a_stranger_takes_nothing_away() -> None:
    envelope = dsse.decode(signed(attestation()))
    stranger = dsse.Signature(bytes(64), "owner-key:stranger")
    both = replace(envelope, signatures=(stranger, *envelope.signatures))
    owner_attestations.verify(dsse.encode(both), KEYS, Placed(9, NOW), STORE)


# What was signed at, recorded at (days from NOW), its place in the log; what revoked:
# since, recorded at, place; whether it counts.
REVOCATIONS = [
    ("before, and revoked later", (0, 0, 5), (1, 1, 6), None),
    ("after", (2, 2, 7), (1, 1, 6), Void.KEY_REVOKED),
    ("at that very moment", (1, 1, 5), (1, 1, 6), Void.KEY_REVOKED),
    ("dated back, recorded after", (0, 2, 7), (1, 1, 6), Void.KEY_REVOKED),
    ("both dated back, behind it in the log", (0, 0, 7), (1, 1, 6), Void.KEY_REVOKED),
    ("before a time that is named later", (0, 0, 5), (-1, 3, 6), Void.KEY_REVOKED),
    ("before the named time", (-2, -2, 5), (-1, 3, 6), None),
    ("before it, recorded after", (-0.5, 0, 5), (-0.25, 3, 6), Void.KEY_REVOKED),
    ("before a time to come, behind it in the log", (2, 2, 7), (5, 1, 6), None),
    ("after that time has come", (5, 5, 7), (5, 1, 6), Void.KEY_REVOKED),
]


@pytest.mark.parametrize(
    ("said", "ended", "why"),
    [row[1:] for row in REVOCATIONS],
    ids=[row[0] for row in REVOCATIONS],
)
def test_a_revocation_reaches_from_its_time_on(
    said: tuple[float, int, int], ended: tuple[float, int, int], why: Void | None
) -> None:
    since, at, place = ended
    keys = keys_of([enrolled()], [revoked(since, at=place, recorded=at)])
    placed = Placed(said[2], NOW + said[1] * DAY)
    assert why_not(keys[IDS[ANA]], NOW + int(said[0] * DAY), placed) is why


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (-101, Void.NOT_YET),
        (-100, None),
        (264, None),
        (265, Void.KEY_EXPIRED),
        (300, Void.KEY_EXPIRED),
    ],
)
def test_a_key_counts_in_its_interval(at: int, why: Void | None) -> None:
    time = NOW + at * DAY
    assert why_not(KEYS[IDS[ANA]], time, unrecorded(time)) is why


def test_a_key_has_to_count_when_its_statement_is_recorded_too() -> None:
    end, hour = NOW + 265 * DAY, DAY // 24
    key = KEYS[IDS[ANA]]
    assert why_not(key, end - 2 * hour, Placed(5, end - hour)) is None
    assert why_not(key, end - hour, Placed(5, end + hour)) is Void.KEY_EXPIRED


def test_a_key_that_is_enrolled_again_has_both_intervals() -> None:
    keys = keys_of([enrolled(end=1), enrolled(begin=2, end=4, at=3)], [])
    counts = [
        why_not(keys[IDS[ANA]], NOW + day * DAY, unrecorded(NOW + day * DAY)) is None
        for day in range(6)
    ]
    assert counts == [True, False, True, True, False, False]


def test_a_key_is_its_first_persons() -> None:
    keys = keys_of([enrolled(BEN, ANA, at=7), enrolled(ANA, ANA, at=3)], [])
    assert keys[IDS[ANA]].person == ANA
    assert len(keys[IDS[ANA]].enrolled) == 1


def test_a_key_of_small_order_is_none() -> None:
    forged = Enrolment(bytes(32), ANA, 0, NOW, WrittenBy.SELF_REPORTED, 0)
    assert keys_of([(Placed(0, 0), forged)], []) == {}
    assert not signed_statements.usable(b"\x01" + bytes(31))
    assert not signed_statements.usable(b"\xff" * 32)
    assert not signed_statements.usable(b"short")
    assert all(signed_statements.usable(raw) for raw in PUBLIC.values())


log = st.permutations(range(12))
days = st.integers(-3, 3)


@given(st.lists(days, max_size=4), st.lists(st.tuples(days, days), max_size=4), log)
def test_the_order_in_which_the_log_is_told_never_matters(
    begins: list[int], ends: list[tuple[int, int]], shuffled: list[int]
) -> None:
    enrolments = [
        enrolled((ANA, BEN)[n % 2], at=n, begin=begin, end=begin + 2)
        for n, begin in enumerate(begins)
    ]
    revocations = [
        revoked(since, at=5 + n, recorded=at) for n, (since, at) in enumerate(ends)
    ]
    mixed = (
        sorted(enrolments, key=lambda each: shuffled[each[0].index]),
        sorted(revocations, key=lambda each: shuffled[each[0].index]),
    )
    assert keys_of(*mixed) == keys_of(enrolments, revocations)


@given(days, days, st.integers(0, 12), st.lists(st.tuples(days, days), max_size=3))
def test_one_more_revocation_never_makes_anything_count(
    at: int, recorded: int, place: int, ends: list[tuple[int, int]]
) -> None:
    placed = Placed(place, NOW + recorded * DAY)

    def counts(much: int) -> bool:
        told = [
            revoked(since, at=4 + 2 * n, recorded=r)
            for n, (since, r) in enumerate(ends[:much])
        ]
        key = keys_of([enrolled()], told)[IDS[ANA]]
        return why_not(key, NOW + at * DAY, placed) is None

    held = [counts(much) for much in range(len(ends) + 1)]
    assert held == sorted(held, reverse=True)


def test_evidence_of_a_void_one_is_believed_by_nobody() -> None:
    found = owner_attestations.evidence(
        signed(attestation(), BEN), KEYS, Placed(9, NOW), STORE
    )
    assert isinstance(found, OwnerEvidence)
    assert (found.void, found.until) == ("signature-wrong", 0)
    assert found.seen.written_by is WrittenBy.SELF_REPORTED
    assert found.seen.at == NOW
