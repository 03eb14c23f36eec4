"""Read the signed requests of persons to their agents, verified on every read."""

from answerable.evidence.signed_user_requests import (
    REQUEST_SHAPE,
    get_requested_values,
)
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import MAX_CLOCK_SKEW, VerifiedStatement
from answerable.model.person_request import MAX_REQUEST_LIFETIME, PersonRequest
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.signed_statements import (
    RejectedStatement,
    SignedStatements,
    StatementReading,
    verify_statements,
)
from answerable.store.store import EvidenceStore

REQUEST = "request"  # kind of the objects


class PersonRequestReader(SignedStatements[PersonRequest]):
    """Cached reader of the requests of persons in one store."""

    kind = REQUEST
    shape = REQUEST_SHAPE
    item = PersonRequest
    max_age = MAX_REQUEST_LIFETIME

    def select(self, now: int) -> StatementReading[PersonRequest]:
        """Return the requests that have not ended, in log order."""
        active = tuple(
            self._build_person_request(each, now)
            for each in self._verified
            if each.statement.signed_at - MAX_CLOCK_SKEW
            <= now
            < REQUEST_SHAPE.get_expiry(each.statement)
        )
        return StatementReading(active, self._rejected)

    def _build_person_request(
        self, request: VerifiedStatement, now: int
    ) -> PersonRequest:
        """Convert a verified statement to the request: persons, run, lifetime."""
        said, agent = request.statement, AgentId(request.statement.subject)
        owners = open_owner_reader(self._store)
        owner = owners.owners_by_agent(now).get(agent)
        person = owners.canonical_person(request.key.person)
        return PersonRequest(
            id=request.digest,
            agent=agent,
            persons=tuple(sorted({request.key.person, person})),
            is_owners=owner is not None and owner.person == person,
            run=said.get_statement_claim("run"),
            since=said.signed_at,
            until=REQUEST_SHAPE.get_expiry(said),
            values=get_requested_values(said),
        )


def list_person_requests(
    store: EvidenceStore,
) -> tuple[tuple[VerifiedStatement, ...], tuple[RejectedStatement, ...]]:
    """Verify and list all requests ever filed: valid ones, and invalid ones."""
    return verify_statements(store, REQUEST, REQUEST_SHAPE)
