"""Signed policy exceptions of the tests, and their state in a store."""

from collections.abc import Mapping
from dataclasses import replace

from answerable.evidence import dsse, signed_statements
from answerable.evidence import policy_exceptions as exceptions
from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import TargetKind
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementType,
)
from answerable.model.policy_exception import PolicyExceptionInvalidity
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.policy_exceptions import (
    AMENDMENT,
    read_policy_exceptions,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import (
    AGENT,
    ANA,
    HOUR,
    A,
)

WANTED = ApprovalScope(AGENT, "files", TargetKind.TOOL, "write", "ab" * 32)
HOURLY = ExceptionTerm(HOUR)


def act(wanted: ApprovalScope = WANTED, **more: str) -> dict[str, str]:
    claims = exceptions.encode_call_claims(
        wanted, decision="d" * 32, any_arguments=False
    )
    return {"until": str(NOW + HOUR), **claims, **more}


def said(
    store: EvidenceStore,
    claims: Mapping[str, str] | None = None,
    kind: StatementType = StatementType.AMENDMENT,
    agent: str = AGENT,
    person: PersonId = ANA,
    key: LocalSigner = A,
    at: int = NOW,
    here: str = "",
) -> OwnerStatement:
    content = StatementContent(kind, agent, {**(claims or act()), "person": person})
    return content.build_owner_statement(
        key.id, here or owner_keys.get_store_id(store), at
    )


def signed(statement: OwnerStatement, key: LocalSigner = A) -> bytes:
    payload = signed_statements.encode_payload(statement)
    return dsse.encode_envelope(
        dsse.sign_envelope(signed_statements.PAYLOAD_TYPE, payload, key.id, key.seed)
    )


def put(store: EvidenceStore, envelope: bytes, at: int = NOW) -> None:
    store.put_object(AMENDMENT, envelope, at)


def stands(store: EvidenceStore, now: int = NOW + 1) -> bool:
    return bool(read_policy_exceptions(store, now).active)


def fallen(
    store: EvidenceStore, now: int = NOW + 1
) -> PolicyExceptionInvalidity | None:
    (judged,) = read_policy_exceptions(store, now).statuses
    return judged.invalidity


def broken(store: EvidenceStore, first: LocalSigner = A, life: int = HOUR) -> str:
    wanted = replace(WANTED, arguments="")
    term = ExceptionTerm(life, any_arguments=True, reason_code="INC-7")
    document = answer_approval_requests.start_break_glass(
        store, wanted, first, term, now=NOW
    )
    return str(document.items[0]["id"])
