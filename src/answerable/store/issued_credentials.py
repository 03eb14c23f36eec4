"""Read the credentials that the credential broker issued to agents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.log_sources import CREDENTIAL_BROKER
from answerable.store.event_columns import build_fact_sql
from answerable.store.segment_scope import SOURCE, SegmentScope

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class IssuedCredentialRecord:
    """Record of a credential that an agent got under a credential policy.

    Attributes:
        id: `cred:...`.
        platform: `aws`, `kubernetes` or `github`.
        run: Run that `aws exec` started; empty for another.
        person: Owner that signed the policy.
        until: Its expiry, UTC nanoseconds.
    """

    id: str
    platform: str
    agent: str
    run: str
    person: str
    until: int

    def is_subject(self, subject: str) -> bool:
        """Return whether a kill of a subject stops the renewal of this credential."""
        return subject in (self.id, self.agent, self.person, f"run:{self.run}")


def read_issued_credentials(
    store: "EvidenceStore", since: int
) -> tuple[IssuedCredentialRecord, ...]:
    """Read the credentials that were issued at or after a time, oldest first.

    Args:
        since: UTC nanoseconds.
    """
    owner = build_fact_sql("owner", "''")
    rows = store.run_query(
        f"SELECT issued, scope, agent, run, {owner}, issued_until FROM events e "  # noqa: S608 - ours
        f"WHERE source = '{CREDENTIAL_BROKER}' AND written_by = 'mediator' "
        f"AND event_time >= {since:d} ORDER BY event_time, event_id",
        scope=SegmentScope(since, 0, ({SOURCE: {CREDENTIAL_BROKER}},)),
    )
    return tuple(
        IssuedCredentialRecord(
            str(id), str(scope), str(agent), str(run), str(person), cast("int", until)
        )
        for id, scope, agent, run, person, until in rows
    )
