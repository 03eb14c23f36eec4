"""Compare the owners of a case bundle with the owner statements that the log contains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from answerable.evidence import signed_statements
from answerable.evidence.owner_attestations import ATTESTATION, ATTESTATION_SHAPE
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    KeyRevocation,
    LogPosition,
)
from answerable.model.person import OwnerEvidence, OwnerState

# Kind of the stored objects with unsigned statements about owners.
CONFIRMATION = "attestation"
OWNER_OBJECTS = frozenset(
    {
        CONFIRMATION,
        ATTESTATION,
        signed_statements.ENROLMENT,
        signed_statements.REVOCATION,
    }
)
_STATED = (OwnerState.ATTESTED.value, OwnerState.CONFIRMED.value)
StoredT = TypeVar("StoredT")


@dataclass(frozen=True, slots=True)
class DisclosedObject:
    """Object of a bundle whose inclusion in the log is verified.

    Attributes:
        position: Place and time of its entry in the log.
        kind: Kind of the object.
        content: Its content.
    """

    position: LogPosition
    kind: str
    content: bytes


def verify_case_owners(
    owners: Mapping[str, Mapping[str, Any]],
    objects: Sequence[DisclosedObject],
    store: str,
) -> int:
    """Verify the stated owners of a bundle; return how many there are.

    An attested owner needs a valid signed attestation of that subject; a confirmed one
    an unsigned statement of the subject `stated_of`. Other owners are derived.

    Args:
        owners: Owner of each agent and identity, with its state.
        objects: Disclosed objects of the bundle.
        store: Public key of the store, which signed statements name.

    Raises:
        VerificationError: An owner differs from the statements.
    """
    signed = _list_attested_owners(objects, store)
    said = {
        (each.subject, str(each.person))
        for each in _decode_objects(objects, CONFIRMATION, OwnerEvidence)
    }
    stated = 0
    for subject, owner in owners.items():
        state, person = owner.get("state"), owner.get("person")
        if state not in _STATED:
            continue
        attested = state == OwnerState.ATTESTED.value
        of = subject if attested else owner.get("stated_of", subject)
        if (of, person) not in (signed if attested else said):
            raise VerificationError(
                f"the log contains no statement that {person} owns {subject} "
                f"({state} in the bundle)"
            )
        stated += 1
    return stated


def _list_attested_owners(
    objects: Sequence[DisclosedObject], store: str
) -> set[tuple[str, str]]:
    """List subject and person of each valid signed attestation."""
    keys = signed_statements.index_enrolled_keys(
        _decode_placed(objects, signed_statements.ENROLMENT, KeyEnrolment),
        _decode_placed(objects, signed_statements.REVOCATION, KeyRevocation),
    )
    found: set[tuple[str, str]] = set()
    for each in objects:
        if each.kind != ATTESTATION:
            continue
        try:
            verified = ATTESTATION_SHAPE.verify(
                each.content, keys, each.position, store
            )
        except signed_statements.InvalidStatement:
            continue  # the log keeps rejected statements, too
        found.add((verified.statement.subject, str(verified.key.person)))
    return found


def _decode_objects(
    objects: Sequence[DisclosedObject], kind: str, shape: type[StoredT]
) -> list[StoredT]:
    """Decode the objects of a kind."""
    return [said for _, said in _decode_placed(objects, kind, shape)]


def _decode_placed(
    objects: Sequence[DisclosedObject], kind: str, shape: type[StoredT]
) -> list[tuple[LogPosition, StoredT]]:
    """Decode the objects of a kind, each with its position in the log."""
    found: list[tuple[LogPosition, StoredT]] = []
    for each in objects:
        if each.kind == kind:
            try:
                said = msgspec.json.decode(each.content, type=shape)
            except (ValueError, RecursionError):
                raise VerificationError(
                    f"object {each.position.index} of the log cannot be decoded"
                ) from None
            found.append((each.position, said))
    return found
