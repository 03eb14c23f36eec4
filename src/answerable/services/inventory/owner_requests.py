"""Requests to persons to attest that they own an entity, in the store's log.

A request gives no permissions and is no evidence of ownership.
"""

import msgspec

from answerable.model.ids import PersonId
from answerable.store.store import EvidenceStore

OWNER_REQUEST = "owner-request"  # kind of the objects


class OwnerRequest(msgspec.Struct, frozen=True):
    """Request to one person about one entity.

    Attributes:
        subject: Id of an agent or identity.
        person: Person who is asked.
        by: Author and kind of sign-in, for display.
        author: Person who asks; empty without a name.
        at: UTC nanoseconds.
        note: Text of the author, may be empty.
    """

    subject: str
    person: PersonId
    by: str
    author: str
    at: int
    note: str = ""


def put_owner_request(store: EvidenceStore, request: OwnerRequest) -> None:
    """Append a request to the store.

    Raises:
        EnvironmentFailure: The store cannot be written.
    """
    store.put_object(OWNER_REQUEST, msgspec.json.encode(request), request.at)


def read_owner_requests(store: EvidenceStore) -> list[OwnerRequest]:
    """Read the newest request of each entity and person, newest first."""
    found: dict[tuple[str, str], OwnerRequest] = {}
    for logged in reversed(store.list_objects(OWNER_REQUEST)):
        data = store.get_object(logged.digest)
        request = msgspec.json.decode(data, type=OwnerRequest)
        found.setdefault((request.subject, request.person), request)
    return list(found.values())
