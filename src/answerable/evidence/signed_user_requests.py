"""Build and verify signed statements of what a person asked an agent to do.

The statement holds the digest and size of the text and the values named in it, not the
text. The caller checks that the run is for that person.
"""

from dataclasses import dataclass

import msgspec

from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import InvalidStatement, OwnerKeys
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import (
    LogPosition,
    OwnerKeyId,
    OwnerStatement,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
)
from answerable.model.person_request import MAX_REQUEST_LIFETIME
from answerable.model.policy_exception import SignatureContext

_CLAIMS = ("person", "run", "sha256", "size", "until", "values")
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


def build_request_statement(
    request: UserRequest, context: SignatureContext, key: OwnerKeyId
) -> OwnerStatement:
    """Build the signed statement of a person's request to an agent."""
    claims = {
        "person": context.person,
        "run": request.run,
        "sha256": request.sha256,
        "size": str(request.size),
        "until": str(request.until),
        "values": _encode(sorted(request.values)).decode(),
    }
    return OwnerStatement(
        type=StatementType.REQUEST,
        subject=request.agent,
        claims=tuple(sorted(claims.items())),
        signed_at=context.now,
        key=key,
        store=context.store,
    )


def verify_request(
    data: bytes, keys: OwnerKeys, position: LogPosition, store: str
) -> VerifiedStatement:
    """Verify the signature and shape of a request statement.

    Raises:
        InvalidStatement: The statement is invalid; the error carries the reason.
    """
    found = signed_statements.verify_statement(data, keys, position, store)
    said = found.statement
    names = tuple(name for name, _ in said.claims)
    is_request = said.type is StatementType.REQUEST and names == _CLAIMS
    if not (is_request and said.subject.startswith("agent:") and said.get_claim("run")):
        raise InvalidStatement(
            StatementInvalidity.OTHER_TYPE, "the statement is no request", said
        )
    if said.get_claim("person") != found.key.person:
        raise InvalidStatement(
            StatementInvalidity.OTHER_PERSON,
            f"the key {found.key.id} is {found.key.person}'s (expected that of whom "
            "the statement names)",
            said,
        )
    until = _parse_decimal(said.get_claim("until"))
    if not said.signed_at < until <= said.signed_at + MAX_REQUEST_LIFETIME:
        raise InvalidStatement(
            StatementInvalidity.EXPIRY, "the request does not end in time", said
        )
    try:
        get_requested_values(said)
    except msgspec.DecodeError:
        raise InvalidStatement(
            StatementInvalidity.UNREADABLE,
            "the request names nothing that can be read",
            said,
        ) from None
    return found


def get_requested_values(statement: OwnerStatement) -> tuple[str, ...]:
    """Return the values that the text of a request names.

    Raises:
        msgspec.DecodeError: It is not the statement of a request.
    """
    return _decode(statement.get_claim("values"))


def get_request_expiry(statement: OwnerStatement) -> int:
    """Return when a verified request expires, UTC nanoseconds."""
    return _parse_decimal(statement.get_claim("until"))


def _parse_decimal(text: str) -> int:
    """Parse ASCII digits; 0 if malformed."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
