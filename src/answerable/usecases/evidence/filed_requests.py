"""File and read signed requests of persons to their agents (command `requests`)."""

import hashlib
from dataclasses import dataclass

from answerable.baseline.request_values import (
    MAX_VALUES,
    MIN_VALUE,
    canonicalise_requested_value,
    extract_requested_values,
)
from answerable.connectors.formats.secret_formats import contains_credential
from answerable.evidence import signed_user_requests as room
from answerable.evidence.signed_user_requests import UserRequest
from answerable.model.documents.person_requests import PersonRequestItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import VerifiedStatement
from answerable.model.person_request import ANY_RUN, MAX_REQUEST_LIFETIME
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.person_requests import (
    PersonRequestReader,
    list_person_requests,
)
from answerable.services.statements.signed_statements import RejectedStatement
from answerable.store.decision_queries import find_persons_of_run
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """Request that a person files.

    Attributes:
        text: Words of the person; not stored.
        named: Additional named values.
        run: The run that it is for; empty for all runs for that person.
        life: Nanoseconds.
    """

    agent: AgentId
    text: str
    extra_values: tuple[str, ...]
    run: str
    lifetime: int


def list_named_values(draft: RequestDraft) -> tuple[str, ...]:
    """List the values that a request names, without any that look like a credential.

    Raises:
        UsageError: It names nothing, or too much.
    """
    found = dict.fromkeys(
        (
            *map(canonicalise_requested_value, draft.extra_values),
            *extract_requested_values(draft.text),
        )
    )
    values = tuple(each for each in found if not contains_credential(each))
    short = [each for each in values if len(each.encode()) < MIN_VALUE]
    if short or not values or len(values) > MAX_VALUES:
        raise UsageError(
            f"the request names {len(values)} values, {len(short)} of them shorter "
            f"than {MIN_VALUE} bytes (expected 1 to {MAX_VALUES} values of at "
            f"least {MIN_VALUE} bytes)",
            "quote the name in the text, or give --value NAME",
        )
    return values


def file_request(
    store: EvidenceStore, draft: RequestDraft, signer: StatementSigner, *, now: int
) -> Document:
    """Sign and record what a person asked an agent to do.

    Raises:
        UsageError: It names nothing, or too much.
        VerificationError: The key is not valid now, or the run is another person's.
            Nothing is recorded.
    """
    values = list_named_values(draft)
    key = owner_keys.require_enrolled_key(store, signer.id)
    _require_own_run(store, draft, key.person, now)
    at, data = signer.signing_time(now), draft.text.encode("utf-8", "surrogatepass")
    filed = UserRequest(
        agent=draft.agent,
        run=draft.run or ANY_RUN,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        until=at + min(draft.lifetime, MAX_REQUEST_LIFETIME),
        values=values,
    )
    content = room.build_request_content(filed, key.person)
    found = PersonRequestReader.sign(store, content, signer, now)
    return Document(
        "requests", [_build_request_item(found, now)], build_empty_coverage()
    )


def _require_own_run(
    store: EvidenceStore, draft: RequestDraft, person: PersonId, now: int
) -> None:
    """Refuse a request for a run that is recorded as another person's."""
    if not draft.run:
        return
    attested = open_owner_reader(store)
    owner = attested.owners_by_agent(now).get(draft.agent)
    own = attested.canonical_person(person)
    for other in find_persons_of_run(store, draft.agent, draft.run):
        theirs = (
            attested.canonical_person(other) if other else owner.person if owner else ""
        )
        if theirs != own:
            raise VerificationError(
                f"the run {draft.run[:80]} is for {theirs or 'no person'} "
                f"(expected {person})",
                "nothing was recorded",
            )


def list_requests(store: EvidenceStore, *, now: int, agent: str = "") -> Document:
    """List filed requests, newest first, then invalid ones."""
    said, void = list_person_requests(store)
    items = [_build_request_item(each, now) for each in reversed(said)]
    items += map(_build_rejected_item, reversed(void))
    fit = [each for each in items if agent in ("", each["agent"])]
    if fit:
        return Document("requests", fit, build_empty_coverage())
    following = format_command("requests", "file", agent or "AGENT", "--key", "KEY")
    searched = f"none of the {len(items)} requests is for {agent}" if items else ""
    return Document(
        "requests", fit, build_empty_coverage(), next=following, searched=searched
    )


def _build_request_item(request: VerifiedStatement, now: int) -> PersonRequestItem:
    """Convert a verified request to a document item."""
    said = request.statement
    run = said.get_statement_claim("run")
    return {
        "id": request.digest,
        "agent": said.subject,
        "person": request.key.person,
        "run": None if run == ANY_RUN else run,
        "state": "standing" if now < room.REQUEST_SHAPE.get_expiry(said) else "ended",
        "signed_at": format_time(said.signed_at),
        "until": format_time(room.REQUEST_SHAPE.get_expiry(said)),
        "size": int(said.get_statement_claim("size")),
        "sha256": said.get_statement_claim("sha256"),
        "values": list(room.get_requested_values(said)),
    }


def _build_rejected_item(rejected: RejectedStatement) -> PersonRequestItem:
    """Build the item of an invalid request, with none of its claims but the agent."""
    said = rejected.statement
    return {
        "id": rejected.digest,
        "agent": said.subject if said is not None else "",
        "person": None,
        "run": None,
        "state": rejected.invalidity.value if rejected.invalidity else "",
        "signed_at": format_time(rejected.at),
        "until": None,
        "size": 0,
        "sha256": "",
        "values": [],
    }
