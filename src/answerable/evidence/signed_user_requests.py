"""Build and verify signed statements of what a person asked an agent to do.

The statement holds the digest and size of the text and the values named in it, not the
text. The caller checks that the run is for that person.
"""

from dataclasses import dataclass

import msgspec

from answerable.evidence.signed_statements import StatementFault, StatementShape
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    StatementType,
)
from answerable.model.person_request import MAX_REQUEST_LIFETIME

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


@dataclass(frozen=True, slots=True)
class UserRequest:
    """A request that a person signs.

    Attributes:
        run: Run id, or `any`.
        sha256: Digest of the text, hex.
        size: Length of the text in bytes.
        until: Expiry, UTC nanoseconds.
        values: Values that the text names.
    """

    agent: AgentId
    run: str
    sha256: str
    size: int
    until: int
    values: tuple[str, ...]


def build_request_content(request: UserRequest, person: PersonId) -> StatementContent:
    """Build the content of a person's request to an agent."""
    claims = {
        "person": person,
        "run": request.run,
        "sha256": request.sha256,
        "size": str(request.size),
        "until": str(request.until),
        "values": _encode(sorted(request.values)).decode(),
    }
    return StatementContent(StatementType.REQUEST, request.agent, claims)


def get_requested_values(statement: OwnerStatement) -> tuple[str, ...]:
    """Return the values that the text of a request names.

    Raises:
        msgspec.DecodeError: It is not the statement of a request.
    """
    return _decode(statement.get_statement_claim("values"))


def _find_request_fault(statement: OwnerStatement) -> StatementFault | None:
    """Return the fault of a request without an agent, a run or readable values."""
    if not (
        statement.subject.startswith("agent:") and statement.get_statement_claim("run")
    ):
        return StatementInvalidity.OTHER_TYPE, "the statement is not a request"
    try:
        get_requested_values(statement)
    except msgspec.DecodeError:
        text = "the request contains no readable values"
        return StatementInvalidity.UNREADABLE, text
    return None


REQUEST_SHAPE = StatementShape(
    noun="request",
    claims={
        StatementType.REQUEST: ("person", "run", "sha256", "size", "until", "values")
    },
    expiry="until",
    lifetimes={StatementType.REQUEST: MAX_REQUEST_LIFETIME},
    find_fault=_find_request_fault,
)
