"""Ask a person to attest that they own entities, and list such requests."""

from collections.abc import Callable, Sequence

from answerable.inventory.person_directory import (
    PEOPLE_HINT,
    PersonDirectory,
    require_known_person,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import BulkResultItem, OwnerRequestItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerState
from answerable.presentation.answer_coverage import build_list_coverage, format_time
from answerable.services.evidence.cases import require_case_text
from answerable.services.inventory.owner_requests import (
    OwnerRequest,
    put_owner_request,
    read_owner_requests,
)
from answerable.store.store import EvidenceStore


def request_owners(
    store: EvidenceStore,
    inventory: Inventory,
    subjects: Sequence[str],
    draft: OwnerRequest,
) -> list[BulkResultItem]:
    """Ask a person about several entities; each request is recorded singly.

    A request that fails is named in the result. It does not affect the others.

    Args:
        draft: Person, author, time and note of each request.

    Raises:
        UsageError: The person is unknown, has left, or is a team or a pipeline; or the
            note is too long or contains a credential. Nothing is recorded.
    """
    person = _require_present_person(inventory, draft.person)
    note = require_case_text(draft.note, "note") if draft.note.strip() else ""

    def record(subject: str) -> str:
        if subject not in inventory.agents and subject not in inventory.owners:
            raise UsageError("no scan contains this agent or identity")
        request = OwnerRequest(subject, person, draft.by, draft.author, draft.at, note)
        put_owner_request(store, request)
        return f"{person} is asked."

    return run_for_each(subjects, record)


def run_for_each(
    subjects: Sequence[str], record: Callable[[str], str]
) -> list[BulkResultItem]:
    """Run an action for each entity; an error is the result of its entity alone."""
    results: list[BulkResultItem] = []
    for subject in dict.fromkeys(subjects):
        try:
            said, recorded = record(subject), True
        except AnswerableError as error:
            said, recorded = f"{error.message}.", False
        results.append({"id": subject, "recorded": recorded, "said": said})
    return results


def list_owner_requests(
    store: EvidenceStore,
    inventory: Inventory,
    *,
    now: int,
    person: str = "",
    received: bool = False,
) -> Document:
    """List the newest request of each entity and person, newest first.

    Args:
        now: UTC nanoseconds.
        person: Only requests to or by this person; empty for all.
        received: Only requests to this person.
    """
    requests = read_owner_requests(store)
    # A large inventory has thousands of persons, and most stores have no request.
    people = PersonDirectory(inventory.facts.persons if requests else ())
    own = people(person) if person else ""
    items: list[OwnerRequestItem] = [
        {
            "subject": each.subject,
            "person": people(each.person),
            "state": _get_state(inventory, each.subject),
            "by": each.by,
            "at": format_time(each.at),
            "note": each.note,
        }
        for each in requests
        if not own
        or own == people(each.person)
        or (not received and own == people(each.author))
    ]
    coverage = build_list_coverage("who-owns", inventory, now)
    return Document("owner-requests", items, coverage)


def _get_state(inventory: Inventory, subject: str) -> str:
    """Return `open`, `answered`, or `not-known` for an entity without a current scan."""
    known = inventory.owners.get(subject)
    if known is None and subject not in inventory.agents:
        return "not-known"
    attested = known is not None and known.state is OwnerState.ATTESTED
    return "answered" if attested else "open"


def _require_present_person(inventory: Inventory, text: str) -> PersonId:
    """Return the merged id of a present person.

    Raises:
        UsageError: The person is unknown, has left, or is a team or a pipeline.
    """
    person = require_known_person(inventory, text)
    if not inventory.persons[person].alive:
        raise UsageError(f"{person} has left the organization", PEOPLE_HINT)
    return person
