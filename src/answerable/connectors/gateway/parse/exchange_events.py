"""Build audit events of token exchanges, which link credentials.

As with decisions, the event is a function of the record's bytes alone.
"""

import hashlib

from answerable.connectors.gateway.declaration import DECLARATION
from answerable.connectors.gateway.parse.event_ids import recorded_event_id
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_token_credential_id
from answerable.model.log_sources import get_log_source_of_recorder
from answerable.model.spool_record import ExchangeRecord
from answerable.model.time_units import SECOND_NS

# What the service itself could not do is no denial.
_SERVER_ERRORS = ("server_error", "temporarily_unavailable")


def build_exchange_event(
    recorder: str, record: ExchangeRecord, raw: bytes
) -> AuditEvent:
    """Build the event of one attempt, granted or refused."""
    return AuditEvent(
        event_id=recorded_event_id(recorder, record),
        event_time=record.at,
        source=get_log_source_of_recorder(recorder),
        scope=recorder,
        written_by=DECLARATION.written_by,
        raw_sha256=hashlib.sha256(raw).digest(),
        action=f"sts:{record.what}",
        outcome=_outcome_of_exchange(record),
        native_id=record.jti or str(record.sequence),
        credential=_credential_of_digest(record.subject),
        person=record.person,
        resource=record.audience,
        issued=_credential_of_digest(record.issued),
        issued_to=record.agent if record.issued else "",
        issued_until=record.expires * SECOND_NS,
        run=record.delegation,
        facts=_list_exchange_facts(record),
        recorder=recorder,
        sequence=record.sequence,
        agent=record.agent,
    )


def has_matching_exchange_id(recorder: str, record: ExchangeRecord) -> bool:
    """Return whether an attempt has the id that its recorder assigned."""
    return record.id == recorded_event_id(recorder, record).hex()


def _credential_of_digest(sha256: str) -> str:
    """Return the credential id of a token's digest."""
    return build_token_credential_id(bytes.fromhex(sha256)) if sha256 else ""


def _outcome_of_exchange(record: ExchangeRecord) -> EventOutcome:
    """Return the outcome of a token exchange."""
    if not record.error:
        return EventOutcome.SUCCESS
    return EventOutcome.ERROR if record.error in _SERVER_ERRORS else EventOutcome.DENIED


def _list_exchange_facts(record: ExchangeRecord) -> tuple[tuple[str, str], ...]:
    """Return the facts of a token exchange, sorted, without empty ones."""
    told = {
        "actor": record.actor,
        "attestor": record.attestor,
        "bound": record.bound,
        "chain": " ".join(record.chain),
        "error": record.error,
        "issuer": record.issuer,
        "jti": record.jti,
        "kid": record.kid,
        "owner": record.owner,
        "parent": record.parent,
        "reason": record.reason,
        "rule": record.rule,
        "rule_digest": record.rule_digest,
        "scopes": " ".join(record.scopes),
        "start": record.run,
    }
    pairs = [
        *told.items(),
        *((f"attested:{name}", value) for name, value in record.attested),
        *((f"claim:{name}", value) for name, value in record.claims),
        *((f"self:{name}", value) for name, value in record.said),
    ]
    return tuple(sorted(pair for pair in pairs if pair[1]))
