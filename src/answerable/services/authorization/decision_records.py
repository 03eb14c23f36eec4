"""Find the gateway's authorization decisions by id, in the store and in its spool."""

import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from answerable.connectors.gateway.fetch import SpoolReader, lock_spool
from answerable.model.approval_request import APPROVABLE_TARGETS, ApprovalScope
from answerable.model.connector import EventLimits
from answerable.model.decision import TargetKind
from answerable.model.errors import (
    AmbiguousError,
    EnvironmentFailure,
    UnknownNameError,
    UsageError,
)
from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.store.decision_queries import find_decisions_by_prefix
from answerable.store.store import EvidenceStore

MIN_ID_LENGTH = 6  # characters of an id prefix
_MAX_ID_LENGTH = 32
_SPOOL_WAIT_SECONDS = 3.0  # seconds to wait while the spool is shipped
_HEX = frozenset("0123456789abcdef")
_TOOL = "tool:mcp/"

# Spools of a gateway and of its decision point.
SpoolPlaces: TypeAlias = Path | tuple[Path, ...] | None


class CallSubject(Protocol):
    """Agent and target of a call, as an event names them."""

    @property
    def agent(self) -> str:
        """Id of the calling agent."""

    @property
    def resource_prefix(self) -> str:
        """Server or folder of the target."""

    @property
    def tool(self) -> str:
        """Name of the called MCP tool; empty if the call is on none."""

    @property
    def resource(self) -> str:
        """URI of the resource that the call names."""


@dataclass(frozen=True, slots=True)
class FoundDecision:
    """Decision record found by its id.

    Attributes:
        event: Merged records of the decision.
        stored: Whether it is in the store; otherwise it is in the spool.
    """

    event: AuditEvent
    stored: bool


@dataclass(frozen=True, slots=True)
class SpooledDecisions:
    """Decision records that wait in a spool.

    Attributes:
        events: Decisions, in recorder order.
        read_error: Reason why the spool could not be read; empty if it could.
        exists: Whether a spool exists.
    """

    events: tuple[AuditEvent, ...] = ()
    read_error: str = ""
    exists: bool = False


def read_spool(spool: SpoolPlaces) -> SpooledDecisions:
    """Read the decision records that are not shipped yet; the spool stays as it is."""
    if isinstance(spool, tuple):
        each = [read_spool(one) for one in spool]
        events = tuple(event for one in each for event in one.events)
        unread = next((one.read_error for one in each if one.read_error), "")
        return SpooledDecisions(events, unread, any(one.exists for one in each))
    if spool is None or not spool.is_dir():
        return SpooledDecisions()
    try:
        with lock_spool(spool, fcntl.LOCK_SH, timeout_seconds=_SPOOL_WAIT_SECONDS):
            return SpooledDecisions(tuple(_read_spool_decisions(spool)), exists=True)
    except EnvironmentFailure as error:
        return SpooledDecisions(read_error=error.message, exists=True)
    except OSError as error:
        return SpooledDecisions(
            read_error=f"{spool} cannot be read ({error.strerror})", exists=True
        )


def _read_spool_decisions(spool: Path) -> Iterator[AuditEvent]:
    """Yield decisions of the gateway that are not yet in the store."""
    for batch in SpoolReader(spool).read_batches(EventLimits()):
        yield from (event for event in batch.events if event.decision_id)


def find_decision(
    store: EvidenceStore, spooled: SpooledDecisions, text: str
) -> list[FoundDecision]:
    """Find a policy decision in store or spool, by id or prefix.

    Args:
        spooled: Spool content, read before the store so that no record is missed.
        text: The id, or at least its first six characters.

    Returns:
        The decision, or all records with that id if their bytes differ.

    Raises:
        AmbiguousError: Several ids begin like this.
        UsageError: No decision has that id.
    """
    asked = text.strip().lower()
    if not MIN_ID_LENGTH <= len(asked) <= _MAX_ID_LENGTH or not _HEX.issuperset(asked):
        raise UsageError(
            f"invalid decision id (got {text.strip()[:80]!r}, expected its 32 hex "
            f"digits or the first {MIN_ID_LENGTH} of them)",
            "the error of a refused call contains decision_id; `answerable asks` "
            "lists others",
        )
    found = [
        FoundDecision(event, True) for event in find_decisions_by_prefix(store, asked)
    ]
    known = {each.event.raw_sha256 for each in found}
    found += [
        FoundDecision(event, False)
        for event in spooled.events
        if event.decision_id.startswith(asked) and event.raw_sha256 not in known
    ]
    ids = sorted({each.event.decision_id for each in found})
    if len(ids) > 1:
        raise AmbiguousError(
            f"{asked!r} matches {len(ids)} or more decisions (expected one)",
            tuple(ids),
        )
    if not ids:
        raise _build_decision_not_found_error(asked, spooled)
    return found


def _build_decision_not_found_error(text: str, spooled: SpooledDecisions) -> UsageError:
    """Build the error for a decision id that neither store nor spool contains."""
    if spooled.read_error:
        return UsageError(
            f"no decision {text!r} in the store, and the spool could not be read "
            f"completely: {spooled.read_error}",
            "run the command as the gateway's user, or after the gateway has "
            "shipped its records",
        )
    return UnknownNameError(
        f"no decision {text!r} in the store or in the gateway's spool",
        "if the gateway's `state` is outside the store, add --config FILE; a call "
        "is found after it ends",
    )


def decision_facts(event: AuditEvent) -> Mapping[str, str]:
    """Return the facts of a decision by name."""
    return dict(event.facts)


def decision_server(event: CallSubject) -> str:
    """Return the MCP server that a decided call was for."""
    return event.resource_prefix.removeprefix(_TOOL).removesuffix("/")


def decision_target_name(event: CallSubject, target: str) -> str:
    """Return the name of the target of a decision; empty if none is named."""
    if target == TargetKind.TOOL:
        tool = event.resource_prefix and event.resource.startswith(
            event.resource_prefix
        )
        return (event.resource if tool else event.tool).removeprefix(
            event.resource_prefix
        )
    if target == TargetKind.RESOURCE:
        return event.resource
    prefix = f"{target}:mcp/{decision_server(event)}/"
    if event.resource.startswith(prefix):
        return event.resource.removeprefix(prefix)
    return ""


def get_call_for_exception(event: AuditEvent) -> ApprovalScope | None:
    """Return the call that a policy exception would have to allow; None if none can."""
    said = decision_facts(event)
    return build_call_for_exception(
        event, said.get("target", ""), said.get("arguments", "")
    )


def build_call_for_exception(
    event: CallSubject, target: str, arguments: str
) -> ApprovalScope | None:
    """Build the call that a policy exception would have to allow; None if none can."""
    if target not in APPROVABLE_TARGETS or not event.agent:
        return None
    return ApprovalScope(
        agent=AgentId(event.agent),
        server=decision_server(event),
        target=TargetKind(target),
        name=decision_target_name(event, target),
        arguments=arguments,
    )
