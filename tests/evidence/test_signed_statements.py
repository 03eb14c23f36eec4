"""Statements and keys: what counts, and that nothing else does."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.evidence.signed_note import derive_verifier_key
from answerable.evidence.signed_statements import (
    InvalidStatement,
    OwnerKeys,
    find_key_fault,
    index_enrolled_keys,
)
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    ATTESTATION_LIFETIME,
    KeyEnrolment,
    KeyRevocation,
    LogPosition,
    OwnerKeyId,
    OwnerStatement,
    StatementInvalidity,
    build_owner_key_id,
    create_position_before_logging,
)
from answerable.model.person import OwnerEvidence
from answerable.model.provenance import WrittenBy

DAY = 86_400 * 10**9
NOW = 20_000 * DAY
STORE, AGENT = "answerable.local/00+00000000+AA", "agent:declared/reporter"
ANA, BEN = PersonId("person:ana@corp.example"), PersonId("person:ben@corp.example")
SEEDS = {ANA: b"a" * 32, BEN: b"b" * 32}
PUBLIC = {
    person: derive_verifier_key("key", seed).raw for person, seed in SEEDS.items()
}
IDS = {person: build_owner_key_id(raw) for person, raw in PUBLIC.items()}


def enrolled(
    person: PersonId = ANA,
    key: PersonId = ANA,
    *,
    at: int = 0,
    begin: int = -100,
    end: int = 265,
) -> tuple[LogPosition, KeyEnrolment]:
    """Times in days from NOW."""
    by = WrittenBy.SELF_REPORTED
    return LogPosition(at, NOW - 100 * DAY), KeyEnrolment(
        PUBLIC[key], person, NOW + begin * DAY, NOW + end * DAY, by, 0
    )


def revoked(
    since: float, *, at: int, recorded: int = 0, key: PersonId = ANA
) -> tuple[LogPosition, KeyRevocation]:
    return LogPosition(at, NOW + recorded * DAY), KeyRevocation(
        IDS[key], NOW + int(since * DAY), WrittenBy.SELF_REPORTED, 0
    )


KEYS = index_enrolled_keys([enrolled(), enrolled(BEN, BEN, at=1)], [])


def attestation(
    person: PersonId = ANA, subject: str = AGENT, at: int = NOW, **changes: object
) -> OwnerStatement:
    made = owner_attestations.build_attestation_content(
        subject, person, previous="", now=at
    ).build_owner_statement(IDS[person], STORE, at)
    return replace(made, **changes)


def claims(said: OwnerStatement, **changes: str) -> OwnerStatement:
    return replace(said, claims=tuple(sorted({**dict(said.claims), **changes}.items())))


def signed(said: OwnerStatement, by: PersonId = ANA, keyid: str | None = None) -> bytes:
    hint = said.key if keyid is None else keyid
    envelope = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE,
        signed_statements.encode_payload(said),
        hint,
        SEEDS[by],
    )
    return dsse.encode_envelope(envelope)


def void(
    data: bytes, keys: OwnerKeys = KEYS, placed: LogPosition | None = None
) -> StatementInvalidity:
    with pytest.raises(InvalidStatement) as caught:
        owner_attestations.ATTESTATION_SHAPE.verify(
            data, keys, placed or LogPosition(9, NOW), STORE
        )
    return caught.value.void


def evidence_of(
    data: bytes, keys: OwnerKeys, position: LogPosition, store: str
) -> OwnerEvidence | None:
    try:
        found = owner_attestations.ATTESTATION_SHAPE.verify(data, keys, position, store)
    except InvalidStatement as error:
        if error.statement is None:
            return None
        return owner_attestations.build_invalid_evidence(
            error.statement, error.void, position.at
        )
    return owner_attestations.build_evidence(found)


def test_a_statement_signed_with_an_enrolled_key_counts() -> None:
    found = owner_attestations.ATTESTATION_SHAPE.verify(
        signed(attestation()), KEYS, LogPosition(9, NOW), STORE
    )
    assert found.statement == attestation()
    assert (found.key.person, found.key.id) == (ANA, IDS[ANA])


VOID: Mapping[str, tuple[bytes, StatementInvalidity]] = {
    "no envelope": (b"{}", StatementInvalidity.UNREADABLE),
    "another's signature": (signed(attestation(), BEN), StatementInvalidity.SIGNATURE),
    "hint of another key": (
        signed(attestation(), ANA, IDS[BEN]),
        StatementInvalidity.SIGNATURE,
    ),
    "signed by another in their own name": (
        signed(attestation(key=IDS[BEN]), BEN),
        StatementInvalidity.OTHER_PERSON,
    ),
    "a key that nobody enrolled": (
        signed(attestation(key=OwnerKeyId("owner-key:x"))),
        StatementInvalidity.NOT_ENROLLED,
    ),
    "another store": (
        signed(attestation(store="other")),
        StatementInvalidity.OTHER_STORE,
    ),
    "another person in the claims": (
        signed(claims(attestation(), person=BEN)),
        StatementInvalidity.OTHER_PERSON,
    ),
    "no end": (signed(claims(attestation(), expires="")), StatementInvalidity.EXPIRY),
    "a later end": (
        signed(claims(attestation(), expires=str(NOW + ATTESTATION_LIFETIME + 1))),
        StatementInvalidity.EXPIRY,
    ),
    "an end before": (
        signed(claims(attestation(), expires="0")),
        StatementInvalidity.EXPIRY,
    ),
    "an end in other digits": (
        signed(claims(attestation(), expires="١٢٣")),
        StatementInvalidity.EXPIRY,
    ),
    "one claim more": (
        signed(claims(attestation(), more="x")),
        StatementInvalidity.OTHER_TYPE,
    ),
    "signed tomorrow": (
        signed(attestation(at=NOW + DAY)),
        StatementInvalidity.FROM_LATER,
    ),
    "signed long ago": (
        signed(attestation(at=NOW - 2 * DAY)),
        StatementInvalidity.RECORDED_LATE,
    ),
    "before the key": (
        signed(attestation(at=NOW - 101 * DAY)),
        StatementInvalidity.NOT_YET,
    ),
}


@pytest.mark.parametrize(("data", "why"), VOID.values(), ids=VOID.keys())
def test_what_does_not_hold_is_void_for_a_reason(
    data: bytes, why: StatementInvalidity
) -> None:
    assert void(data) is why


def test_an_envelope_for_one_subject_says_nothing_of_another() -> None:
    data = signed(attestation())
    moved = json.loads(data)
    said = replace(attestation(), subject="agent:declared/other")
    moved["payload"] = json.loads(signed(said))["payload"]
    assert void(json.dumps(moved).encode()) is StatementInvalidity.SIGNATURE
    kept = evidence_of(data, KEYS, LogPosition(9, NOW), STORE)
    assert kept is not None
    assert kept.subject == AGENT


@given(st.data())
def test_a_payload_with_any_byte_changed_never_counts(data: st.DataObject) -> None:
    envelope = dsse.decode_envelope(signed(attestation()))
    at = data.draw(st.integers(0, len(envelope.payload) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda b: b != envelope.payload[at]))
    payload = envelope.payload[:at] + bytes((other,)) + envelope.payload[at + 1 :]
    changed = dsse.encode_envelope(replace(envelope, payload=payload))
    found = evidence_of(changed, KEYS, LogPosition(9, NOW), STORE)
    assert found is None or found.void
    assert found is None or not found.seen.written_by.is_trusted_author


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        signed_statements.encode_payload(attestation()) + b" ",
        signed_statements.encode_payload(attestation()).replace(
            b'"type"', b'"type":"x","type"'
        ),
        signed_statements.encode_payload(attestation()).replace(
            b'"subject"', b'"s":"","subject"'
        ),
        signed_statements.encode_payload(attestation()).replace(
            b"owner-attestation", b"wish"
        ),
        signed_statements.encode_payload(attestation()).replace(
            str(NOW).encode(), b"1e9"
        ),
        signed_statements.encode_payload(attestation()).replace(
            str(NOW).encode(), b"+" + b"1"
        ),
        signed_statements.encode_payload(attestation()).replace(
            b'"signed_at":"', b'"signed_at":"' + b"9" * 5000
        ),
    ],
)
def test_a_payload_in_another_spelling_is_no_statement(payload: bytes) -> None:
    envelope = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE, payload, IDS[ANA], SEEDS[ANA]
    )
    assert void(dsse.encode_envelope(envelope)) is StatementInvalidity.UNREADABLE


def test_a_payload_of_another_type_is_no_statement() -> None:
    payload = signed_statements.encode_payload(attestation())
    envelope = dsse.sign_envelope(
        "application/vnd.other+json", payload, IDS[ANA], SEEDS[ANA]
    )
    assert void(dsse.encode_envelope(envelope)) is StatementInvalidity.OTHER_TYPE


def test_a_second_signature_by_a_stranger_takes_nothing_away() -> None:
    envelope = dsse.decode_envelope(signed(attestation()))
    stranger = dsse.DsseSignature(bytes(64), "owner-key:stranger")
    both = replace(envelope, signatures=(stranger, *envelope.signatures))
    owner_attestations.ATTESTATION_SHAPE.verify(
        dsse.encode_envelope(both), KEYS, LogPosition(9, NOW), STORE
    )


# What was signed at, recorded at (days from NOW), its place in the log; what revoked:
# since, recorded at, place; whether it counts.
REVOCATIONS = [
    ("before, and revoked later", (0, 0, 5), (1, 1, 6), None),
    ("after", (2, 2, 7), (1, 1, 6), StatementInvalidity.KEY_REVOKED),
    ("at that very moment", (1, 1, 5), (1, 1, 6), StatementInvalidity.KEY_REVOKED),
    (
        "dated back, recorded after",
        (0, 2, 7),
        (1, 1, 6),
        StatementInvalidity.KEY_REVOKED,
    ),
    (
        "both dated back, behind it in the log",
        (0, 0, 7),
        (1, 1, 6),
        StatementInvalidity.KEY_REVOKED,
    ),
    (
        "before a time that is named later",
        (0, 0, 5),
        (-1, 3, 6),
        StatementInvalidity.KEY_REVOKED,
    ),
    ("before the named time", (-2, -2, 5), (-1, 3, 6), None),
    (
        "before it, recorded after",
        (-0.5, 0, 5),
        (-0.25, 3, 6),
        StatementInvalidity.KEY_REVOKED,
    ),
    ("before a time to come, behind it in the log", (2, 2, 7), (5, 1, 6), None),
    ("after that time has come", (5, 5, 7), (5, 1, 6), StatementInvalidity.KEY_REVOKED),
]


@pytest.mark.parametrize(
    ("said", "ended", "why"),
    [row[1:] for row in REVOCATIONS],
    ids=[row[0] for row in REVOCATIONS],
)
def test_a_revocation_reaches_from_its_time_on(
    said: tuple[float, int, int],
    ended: tuple[float, int, int],
    why: StatementInvalidity | None,
) -> None:
    since, at, place = ended
    keys = index_enrolled_keys([enrolled()], [revoked(since, at=place, recorded=at)])
    placed = LogPosition(said[2], NOW + said[1] * DAY)
    assert find_key_fault(keys[IDS[ANA]], NOW + int(said[0] * DAY), placed) is why


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (-101, StatementInvalidity.NOT_YET),
        (-100, None),
        (264, None),
        (265, StatementInvalidity.KEY_EXPIRED),
        (300, StatementInvalidity.KEY_EXPIRED),
    ],
)
def test_a_key_counts_in_its_interval(at: int, why: StatementInvalidity | None) -> None:
    time = NOW + at * DAY
    assert (
        find_key_fault(KEYS[IDS[ANA]], time, create_position_before_logging(time))
        is why
    )


def test_a_key_has_to_count_when_its_statement_is_recorded_too() -> None:
    end, hour = NOW + 265 * DAY, DAY // 24
    key = KEYS[IDS[ANA]]
    assert find_key_fault(key, end - 2 * hour, LogPosition(5, end - hour)) is None
    assert (
        find_key_fault(key, end - hour, LogPosition(5, end + hour))
        is StatementInvalidity.KEY_EXPIRED
    )


def test_a_key_that_is_enrolled_again_has_both_intervals() -> None:
    keys = index_enrolled_keys([enrolled(end=1), enrolled(begin=2, end=4, at=3)], [])
    counts = [
        find_key_fault(
            keys[IDS[ANA]],
            NOW + day * DAY,
            create_position_before_logging(NOW + day * DAY),
        )
        is None
        for day in range(6)
    ]
    assert counts == [True, False, True, True, False, False]


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
    assert index_enrolled_keys(*mixed) == index_enrolled_keys(enrolments, revocations)


@given(days, days, st.integers(0, 12), st.lists(st.tuples(days, days), max_size=3))
def test_one_more_revocation_never_makes_anything_count(
    at: int, recorded: int, place: int, ends: list[tuple[int, int]]
) -> None:
    placed = LogPosition(place, NOW + recorded * DAY)

    def counts(much: int) -> bool:
        told = [
            revoked(since, at=4 + 2 * n, recorded=r)
            for n, (since, r) in enumerate(ends[:much])
        ]
        key = index_enrolled_keys([enrolled()], told)[IDS[ANA]]
        return find_key_fault(key, NOW + at * DAY, placed) is None

    held = [counts(much) for much in range(len(ends) + 1)]
    assert held == sorted(held, reverse=True)


def test_evidence_of_a_void_one_is_believed_by_nobody() -> None:
    found = evidence_of(signed(attestation(), BEN), KEYS, LogPosition(9, NOW), STORE)
    assert isinstance(found, OwnerEvidence)
    assert (found.void, found.until) == ("signature-wrong", 0)
    assert found.seen.written_by is WrittenBy.SELF_REPORTED
    assert found.seen.at == NOW
