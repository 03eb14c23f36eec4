"""Decision records of a gateway, in the store and in the spool."""

import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from answerable.connectors.gateway.fetch import Spool, held
from answerable.model.approval_request import ASKABLE, Wanted
from answerable.model.connector import EventLimits
from answerable.model.decision import Target
from answerable.model.errors import AmbiguousError, EnvironmentRefused, UsageError
from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.store.decision_queries import find_decisions
from answerable.store.store import Store

SHORTEST = 6  # characters of an id prefix
_LONGEST = 32
_PATIENCE = 3.0  # seconds to wait while the spool is shipped
_HEX = frozenset("0123456789abcdef")
_TOOL = "tool:mcp/"

# Spools of a gateway and of its decision point.
Where: TypeAlias = Path | tuple[Path, ...] | None


class Named(Protocol):
    """Agent and target of a call, as an event names them."""

    @property
    def agent(self) -> str:
        """Calling agent."""

    @property
    def resource_prefix(self) -> str:
        """Server or folder of the target."""

    @property
    def tool(self) -> str:
        """Called tool, empty if none."""

    @property
    def resource(self) -> str:
        """Resource named with the call."""


@dataclass(frozen=True, slots=True)
class Found:
    """Decision record found by its id.

    Attributes:
        event: Merged records of the decision.
        stored: Whether it is in the store; otherwise it is in the spool.
    """

    event: AuditEvent
    stored: bool


@dataclass(frozen=True, slots=True)
class Spooled:
    """Decision records that wait in a spool.

    Attributes:
        events: Decisions, in recorder order.
        unread: Reason why the spool could not be read; empty if it could.
        there: Whether a spool exists.
    """

    events: tuple[AuditEvent, ...] = ()
    unread: str = ""
    there: bool = False


def spooled(spool: Where) -> Spooled:
    """Read the decision records that are not shipped yet; the spool stays as it is."""
    if isinstance(spool, tuple):
        each = [spooled(one) for one in spool]
        events = tuple(event for one in each for event in one.events)
        unread = next((one.unread for one in each if one.unread), "")
        return Spooled(events, unread, any(one.there for one in each))
    if spool is None or not spool.is_dir():
        return Spooled()
    try:
        with held(spool, fcntl.LOCK_SH, patience=_PATIENCE):
            return Spooled(tuple(_decisions(spool)), there=True)
    except EnvironmentRefused as error:
        return Spooled(unread=error.message, there=True)
    except OSError as error:
        return Spooled(
            unread=f"may not be read: {spool} ({error.strerror})", there=True
        )


def _decisions(spool: Path) -> Iterator[AuditEvent]:
    for batch in Spool(spool).batches(EventLimits()):
        yield from (event for event in batch.events if event.decision_id)


def find(store: Store, waiting: Spooled, text: str) -> list[Found]:
    """Find a decision by its id or a prefix of it.

    Args:
        waiting: Spool content, read before the store so that no record is missed.
        text: The id, or at least its first six characters.

    Returns:
        The decision, or all records with that id if their bytes differ.

    Raises:
        AmbiguousError: Several ids begin like this.
        UsageError: No decision has that id.
    """
    asked = text.strip().lower()
    if not SHORTEST <= len(asked) <= _LONGEST or not _HEX.issuperset(asked):
        raise UsageError(
            f"not the id of a decision (got {text.strip()[:80]!r}, expected its 32 hex "
            f"digits or the first {SHORTEST} of them)",
            "the error of a refused call has it as decision_id; `answerable asks` lists some",
        )
    found = [Found(event, True) for event in find_decisions(store, asked)]
    known = {each.event.raw_sha256 for each in found}
    found += [
        Found(event, False)
        for event in waiting.events
        if event.decision_id.startswith(asked) and event.raw_sha256 not in known
    ]
    ids = sorted({each.event.decision_id for each in found})
    if len(ids) > 1:
        raise AmbiguousError(
            f"{asked!r} begins the ids of {len(ids)} decisions or more (expected one)",
            tuple(ids),
        )
    if not ids:
        raise _unknown(asked, waiting)
    return found


def _unknown(asked: str, waiting: Spooled) -> UsageError:
    if waiting.unread:
        return UsageError(
            f"no decision {asked!r} in the store, and not all is known of what waits: "
            f"{waiting.unread}",
            "ask as the gateway's user, or once it has shipped its records",
        )
    return UsageError(
        f"no decision is called {asked!r}, in the store or in the gateway's spool",
        "a gateway with a `state` of its own is found by --config FILE; a call that "
        "still runs is found once it has ended",
    )


def facts_of(event: AuditEvent) -> Mapping[str, str]:
    """Return the facts of a decision by name."""
    return dict(event.facts)


def server_of(event: Named) -> str:
    """Return the server of a decision."""
    return event.resource_prefix.removeprefix(_TOOL).removesuffix("/")


def name_of(event: Named, target: str) -> str:
    """Return the name of the target of a decision; empty if none is named."""
    if target == Target.TOOL:
        tool = event.resource_prefix and event.resource.startswith(
            event.resource_prefix
        )
        return (event.resource if tool else event.tool).removeprefix(
            event.resource_prefix
        )
    if target == Target.RESOURCE:
        return event.resource
    prefix = f"{target}:mcp/{server_of(event)}/"
    if event.resource.startswith(prefix):
        return event.resource.removeprefix(prefix)
    return ""


def wanted_of(event: AuditEvent) -> Wanted | None:
    """Return the act that a policy exception would have to allow; None if none can."""
    said = facts_of(event)
    return wanted_by(event, said.get("target", ""), said.get("arguments", ""))


def wanted_by(event: Named, target: str, arguments: str) -> Wanted | None:
    """Return the same act for any call subject; None if no exception can allow it."""
    if target not in ASKABLE or not event.agent:
        return None
    return Wanted(
        agent=AgentId(event.agent),
        server=server_of(event),
        target=Target(target),
        name=name_of(event, target),
        arguments=arguments,
    )
