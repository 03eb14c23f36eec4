"""What was signed is verified in one way: each once, in the order of the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.evidence.signed_statements import StatementShape
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import OwnerStatement, StatementType
from answerable.services.statements import (
    owner_keys,
    person_requests,
    policy_exceptions,
    signed_baselines,
)
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.signed_statements import verify_statements
from answerable.services.statements.tool_approvals import TOOLS_APPROVAL
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import tool_pins
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import ANA, A, enroll, signer

KIND = "kind-of-the-test"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        enroll(opened, A, ANA)
        yield opened


def envelope(
    store: EvidenceStore, subject: str, key: LocalSigner = A, *, also: bool = False
) -> bytes:
    """Sign something, in an envelope that nobody's second signature changes."""
    here = owner_keys.get_store_id(store)
    said = OwnerStatement(StatementType.REQUEST, subject, (), NOW, key.id, here)
    payload = signed_statements.encode_payload(said)
    first = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE, payload, key.id, key.seed
    )
    more = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE, payload, signer("c").id, signer("c").seed
    )
    both = first.signatures + (more.signatures if also else ())
    return dsse.encode_envelope(dsse.DsseEnvelope(first.payload_type, payload, both))


SHAPE = StatementShape("request", {StatementType.REQUEST: None})


def verify(store: EvidenceStore, since: int = 0) -> tuple[list[str], list[object]]:
    said, void = verify_statements(store, KIND, SHAPE, since=since)
    return (
        [each.statement.subject for each in said],
        [(each.at, each.invalidity) for each in void],
    )


def test_each_counts_once_and_where_it_stood_first(store: EvidenceStore) -> None:
    unknown = signer("z")
    for at, data in enumerate(
        (
            envelope(store, "two"),
            envelope(store, "void", unknown),
            envelope(store, "one"),
            envelope(store, "two", also=True),
            envelope(store, "void", unknown),
            envelope(store, "other void", unknown),
        )
    ):
        store.put_object(KIND, data, NOW + at)
    no_key = "key-not-enrolled"
    assert verify(store) == (["two", "one"], [(NOW + 1, no_key), (NOW + 5, no_key)])
    assert verify(store, NOW + 3) == (["two"], [(NOW + 4, no_key), (NOW + 5, no_key)])


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (policy_exceptions.AMENDMENT, policy_exceptions.read_policy_exceptions),
        (signed_baselines.SIGNED_BASELINE, signed_baselines.read_signed_baselines),
        (
            person_requests.REQUEST,
            lambda store, now: person_requests.PersonRequestReader(store).read(now),
        ),
        (
            TOOLS_APPROVAL,
            lambda store, now: tool_pins.read_signed_approvals(store, now),
        ),
    ],
)
def test_none_is_passed_over_that_lies_there_no_more(
    store: EvidenceStore, kind, read
) -> None:
    store.put_object(kind, envelope(store, "one"), NOW)
    read(store, NOW + 1)
    (logged,) = store.list_objects(kind)
    for path in store.layout.root.rglob(f"*{logged.digest[2:]}*"):
        path.unlink()
    with (
        EvidenceStore.open(store.layout.root, now=NOW) as anew,
        pytest.raises(VerificationError, match="is missing"),
    ):
        read(anew, NOW + 1)
