"""Cached parts of records: the same values as parsed anew, in bounded memory."""

import json

import pytest

from answerable.connectors.anthropic_audit.parse import FORMAT
from answerable.connectors.formats.log_format import (
    RecordRefused,
    make_event_from_row,
)
from answerable.connectors.formats.parsed_parts import ParsedParts
from answerable.model.event import AuditEvent


def test_a_part_is_parsed_once_and_a_long_one_each_time() -> None:
    calls: list[bytes] = []

    def parse(raw: bytes) -> int:
        calls.append(raw)
        return len(raw)

    parts = ParsedParts(parse)
    assert [parts[b"a"], parts[b"a"], parts[b"x" * 2000], parts[b"x" * 2000]] == [
        1,
        1,
        2000,
        2000,
    ]
    assert len(calls) == 3
    assert len(parts) == 1


def test_the_number_of_kept_parts_is_bounded() -> None:
    parts = ParsedParts(len)
    for number in range(20_000):
        assert parts[b"%d" % number] == len(str(number))
    assert len(parts) <= 4096


def _parse(actor: object) -> AuditEvent:
    record = {
        "id": "a1",
        "type": "t",
        "created_at": "2026-01-01T00:00:00Z",
        "actor": actor,
    }
    event = FORMAT.parse(json.dumps(record).encode(), {}, make_event_from_row)
    assert isinstance(event, AuditEvent)
    return event


def test_actors_that_alternate_stay_apart() -> None:
    first = {"type": "user_actor", "user_id": "u1", "email_address": "A@corp.example"}
    other = {"type": "api_actor", "api_key_id": "k1"}
    for _ in range(3):
        person, key = _parse(first), _parse(other)
        assert (person.identity, person.credential) == (
            "anthropic:user/a@corp.example",
            "",
        )
        assert (key.identity, key.credential, key.person) == (
            "anthropic:api-key/k1",
            "cred:anthropic-key/k1",
            "",
        )


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        (b'{"type":7}', "`$.actor.type`"),
        (b"[]", "`$.actor`"),
        (b'{"type":"x"', "not JSON"),
        (b"null", "it has no type or actor"),
    ],
)
def test_an_actor_of_another_form_is_refused_with_its_place(
    actor: bytes, reason: str
) -> None:
    raw = (
        b'{"id":"a","type":"t","created_at":"2026-01-01T00:00:00Z","actor":%b}' % actor
    )
    for _ in range(2):
        refused = FORMAT.parse(raw, {}, make_event_from_row)
        assert isinstance(refused, RecordRefused)
        assert reason in refused.reason
