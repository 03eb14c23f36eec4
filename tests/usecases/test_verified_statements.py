"""What was signed is verified in one way: each once, in the order of the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.evidence.signed_statements import InvalidStatement
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import OwnerStatement, StatementType
from answerable.services.statements import (
    owner_keys,
    policy_exceptions,
    signed_baselines,
)
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.verified_statements import (
    TOOLS_APPROVAL,
    verify_statements,
)
from answerable.store.object_store import LoggedObject
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import tool_pins
from answerable.usecases.evidence import filed_requests
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


def why(logged: LoggedObject, void: InvalidStatement) -> tuple[int, str]:
    return logged.at, void.void.value


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
    said, void = verify_statements(store, KIND, signed_statements.verify_statement, why)
    assert [each.statement.subject for each in said] == ["two", "one"]
    assert void == ((NOW + 1, "key-not-enrolled"), (NOW + 5, "key-not-enrolled"))
    said, void = verify_statements(
        store, KIND, signed_statements.verify_statement, why, since=NOW + 3
    )
    assert [each.statement.subject for each in said] == ["two"]
    assert [at for at, _ in void] == [NOW + 4, NOW + 5]


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (policy_exceptions.AMENDMENT, policy_exceptions.read_policy_exceptions),
        (signed_baselines.SIGNED_BASELINE, signed_baselines.read_signed_baselines),
        (
            filed_requests.REQUEST,
            lambda store, now: filed_requests.FiledRequestReader(store).read(now),
        ),
        (
            TOOLS_APPROVAL,
            lambda store, now: tool_pins.read_signed_approvals(store),
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
