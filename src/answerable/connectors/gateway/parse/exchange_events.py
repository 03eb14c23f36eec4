"""Events of token service attempts, which link credentials.

As with decisions, the event is a function of the record's bytes alone.
"""

import hashlib

from answerable.connectors.gateway.declaration import SPEC
from answerable.model.event import AuditEvent, Outcome
from answerable.model.ids import EventId, event_id, token_credential_id
from answerable.model.spool_record import Exchanged, source_of

_SECOND = 1_000_000_000  # nanoseconds
# What the service itself could not do is no denial.
_OURS = ("server_error", "temporarily_unavailable")


def exchange_of(recorder: str, record: Exchanged, raw: bytes) -> AuditEvent:
    """Build the event of one attempt, granted or refused."""
    return AuditEvent(
        event_id=_id(recorder, record),
        event_time=record.at,
        source=source_of(recorder),
        scope=recorder,
        written_by=SPEC.written_by,
        raw_sha256=hashlib.sha256(raw).digest(),
        action=f"sts:{record.what}",
        outcome=_outcome(record),
        native_id=record.jti or str(record.sequence),
        credential=_credential(record.subject),
        person=record.person,
        resource=record.audience,
        issued=_credential(record.issued),
        issued_to=record.agent if record.issued else "",
        issued_until=record.expires * _SECOND,
        run=record.delegation,
        facts=_facts(record),
        recorder=recorder,
        sequence=record.sequence,
        agent=record.agent,
    )


def is_own_exchange(recorder: str, record: Exchanged) -> bool:
    """Tell whether an attempt has the id that its recorder assigned."""
    return record.id == _id(recorder, record).hex()


def _id(recorder: str, record: Exchanged) -> EventId:
    return event_id(record.at, source_of(recorder), recorder, b"%d" % record.sequence)


def _credential(sha256: str) -> str:
    return token_credential_id(bytes.fromhex(sha256)) if sha256 else ""


def _outcome(record: Exchanged) -> Outcome:
    if not record.error:
        return Outcome.SUCCESS
    return Outcome.ERROR if record.error in _OURS else Outcome.DENIED


def _facts(record: Exchanged) -> tuple[tuple[str, str], ...]:
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
