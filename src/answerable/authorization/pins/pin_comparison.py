"""Compare a server's lists with its pins: pass, pin on first use, or quarantine.

| observed | `first-use` | `apply_approval` |
|---|---|---|
| as pinned | passes | passes if a person approved it |
| in the first list of its kind | pinned, unless it shadows another server's | quarantine |
| new after that | quarantine | quarantine |
| changed | quarantine | quarantine |
| the server's identity, first | pinned | waits for a person |
| another identity | the whole server in quarantine | the same |

Quarantine lasts until a person approves, even if the server reverts the change, because
an agent may have seen it. Pins change only by approval.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from answerable.authorization.cedar.approved_schemas import (
    ArgumentSchema,
    parse_argument_schema,
)
from answerable.authorization.pins.canonical_definitions import (
    definition_argument_schema,
    definition_authzen_mapping,
    definition_size,
    digest_definition_fields,
)
from answerable.authorization.pins.lookalikes import EMPTY_NAME_INDEX, NameIndex
from answerable.authorization.quarantine import ServerQuarantine
from answerable.model.definition_pin import (
    DefinitionApproval,
    DefinitionKind,
    DefinitionPin,
    McpDefinition,
    PinnedServerIdentity,
    PinningMode,
    PinOrigin,
    QuarantinedDefinition,
    QuarantineReason,
    ServerPins,
    build_definition_id,
    split_definition_key,
)

MAX_ITEMS = 2000  # of one server, pinned or in quarantine
MAX_NAME = 4096  # letters of a name; no call may name a longer one
MAX_STORED = 4 << 20  # characters of definitions of one server; of more, digests
MAX_IDENTITIES = 8
LEARNING_PERIOD = 600 * 10**9  # nanoseconds in which the pages of a first list may come
_NAMED = (DefinitionKind.TOOL, DefinitionKind.PROMPT)


@dataclass(frozen=True, slots=True)
class ObservedList:
    """A list response of a server, or one page of it.

    Attributes:
        is_asked: It answers a client's request; unsolicited lists pin nothing.
    """

    kind: DefinitionKind
    definitions: tuple[McpDefinition, ...]
    is_last: bool = True
    is_asked: bool = True


def compare_list_with_pins(
    pins: ServerPins,
    listed: ObservedList,
    *,
    server: str,
    pinning: PinningMode,
    now: int,
    names: NameIndex = EMPTY_NAME_INDEX,
) -> ServerPins:
    """Compare a server's tool list with its pins; return the updated pins.

    Args:
        now: UTC nanoseconds.
        names: Pinned items of that kind of all servers.

    Returns:
        `pins` itself if nothing changes.
    """
    opened = pins.opened.get(listed.kind, now)
    is_open = (
        listed.is_asked
        and listed.kind not in pins.closed
        and now - opened <= LEARNING_PERIOD
        and pinning is PinningMode.FIRST_USE
    )
    taking = _ListComparison(pins, server, now, names, is_open=is_open)
    for definition in listed.definitions:
        taking.compare_item_with_pin(definition)
    found = taking.build_updated_pins()
    if not listed.is_asked or listed.kind in pins.closed:
        return found
    if listed.is_last or now - opened > LEARNING_PERIOD:
        return replace(found, closed=(*pins.closed, listed.kind))
    if listed.kind not in pins.opened:
        return replace(found, opened=pins.opened | {listed.kind: now})
    return found


class _ListComparison:
    """Comparison of one list, item by item."""

    def __init__(
        self,
        pins: ServerPins,
        server: str,
        now: int,
        names: NameIndex,
        *,
        is_open: bool,
    ) -> None:
        self._pins, self._server, self._now, self._names = pins, server, now, names
        self._is_open = is_open
        self._items = dict(pins.items)
        self._seen = dict(pins.seen)
        self._is_full = pins.is_full
        self._room: int | None = None
        self._changed = False

    def compare_item_with_pin(self, definition: McpDefinition) -> None:
        """Compare one listed item with its pin."""
        key = definition.key
        pin, seen = self._items.get(key), self._seen.get(key)
        if seen is not None:
            if seen.definition.sha256 != definition.sha256:
                self._quarantine_item(replace(seen, definition=definition))
        elif pin is None:
            self._pin_or_quarantine(definition)
        elif pin.definition.sha256 != definition.sha256:
            self._quarantine_item(
                QuarantinedDefinition(definition, QuarantineReason.CHANGED, self._now)
            )

    def build_updated_pins(self) -> ServerPins:
        """Return the pins to store after the comparison of a tool list."""
        if not self._changed:
            return self._pins
        return replace(
            self._pins, items=self._items, seen=self._seen, is_full=self._is_full
        )

    def _pin_or_quarantine(self, definition: McpDefinition) -> None:
        """Pin a new item on first use, or put it in quarantine."""
        is_too_many = len(self._items.keys() | self._seen.keys()) >= MAX_ITEMS
        if is_too_many or len(definition.name) > MAX_NAME:
            self._changed |= not self._is_full
            self._is_full = True
            return
        kind, name = definition.kind, definition.name
        other = None
        if kind in _NAMED:
            other = self._names.find_shadowed_item(
                self._server, name, definition.sha256
            )
        if definition.is_ambiguous:
            self._quarantine_item(
                QuarantinedDefinition(definition, QuarantineReason.AMBIGUOUS, self._now)
            )
        elif other is not None:
            like = build_definition_id(other[0], *split_definition_key(other[1]))
            self._quarantine_item(
                QuarantinedDefinition(
                    definition, QuarantineReason.SHADOWS, self._now, like
                )
            )
        elif self._is_open:
            self._items[definition.key] = DefinitionPin(
                self._shorten_if_full(definition), self._now
            )
            self._changed = True
        else:
            self._quarantine_item(
                QuarantinedDefinition(definition, QuarantineReason.NEW, self._now)
            )

    def _quarantine_item(self, item: QuarantinedDefinition) -> None:
        """Put a new or changed tool definition in quarantine."""
        definition = self._shorten_if_full(item.definition)
        self._seen[definition.key] = replace(item, definition=definition)
        self._changed = True

    def _shorten_if_full(self, definition: McpDefinition) -> McpDefinition:
        """Replace the texts of a definition by digests if there is no room for them."""
        if self._room is None:
            kept = [pin.definition for pin in self._items.values()]
            kept += [seen.definition for seen in self._seen.values()]
            self._room = MAX_STORED - sum(definition_size(each) for each in kept)
        self._room -= definition_size(definition)
        return definition if self._room >= 0 else digest_definition_fields(definition)


def compare_identity_with_pin(
    pins: ServerPins, identity: str, *, pinning: PinningMode, now: int
) -> ServerPins:
    """Compare the identity that answers for a server with the pinned one.

    Returns:
        `pins` itself if nothing changes.
    """
    if identity == pins.other or any(e.identity == identity for e in pins.servers):
        return pins
    if not pins.servers and pinning is PinningMode.FIRST_USE and not pins.other:
        return replace(pins, servers=(PinnedServerIdentity(identity, now),))
    return replace(pins, other=identity, other_at=now)


def build_quarantine(pins: ServerPins, pinning: PinningMode) -> ServerQuarantine:
    """Collect the quarantined items of a server."""
    tools, prompts = (_quarantined_names(pins, kind) for kind in _NAMED)
    return ServerQuarantine(
        server=pins.has_identity_changed,
        tools=tools,
        prompts=prompts,
        approved_tools=_list_approved_names(pins, pinning, DefinitionKind.TOOL),
        approved_prompts=_list_approved_names(pins, pinning, DefinitionKind.PROMPT),
        closed=_tools_with_closed_schema(pins),
    )


def _tools_with_closed_schema(pins: ServerPins) -> dict[str, ArgumentSchema]:
    """Return the approved tools whose schema allows no additional members."""
    return {
        pin.definition.name: said
        for key, pin in pins.items.items()
        if pin.definition.kind is DefinitionKind.TOOL
        and pin.pin_origin is PinOrigin.APPROVED
        and key not in pins.seen
        and (
            said := parse_argument_schema(definition_argument_schema(pin.definition))
        ).closed
    }


def is_quarantined(
    pins: ServerPins, pinning: PinningMode, kind: DefinitionKind, name: str
) -> bool:
    """Return whether a tool, prompt or resource is in quarantine."""
    if name in _quarantined_names(pins, kind):
        return True
    passing = _list_approved_names(pins, pinning, kind)
    return passing is not None and name not in passing


def _quarantined_names(pins: ServerPins, kind: DefinitionKind) -> frozenset[str]:
    """Return the names of one kind that are in quarantine."""
    return frozenset(
        seen.definition.name
        for seen in pins.seen.values()
        if seen.definition.kind is kind
    )


def _list_approved_names(
    pins: ServerPins, pinning: PinningMode, kind: DefinitionKind
) -> frozenset[str] | None:
    """Return the names that pass; None if all outside quarantine pass."""
    by_person = pinning is PinningMode.APPROVED
    if not by_person and kind not in pins.closed and not pins.is_full:
        return None
    return frozenset(
        pin.definition.name
        for key, pin in pins.items.items()
        if pin.definition.kind is kind
        and key not in pins.seen
        and (not by_person or pin.pin_origin is PinOrigin.APPROVED)
    )


@dataclass(frozen=True, slots=True)
class ApprovalSelection:
    """Items that a person reviewed and approves.

    Attributes:
        items: Definitions that become the pins.
        identity: The identity that becomes the server's, empty for none.
    """

    items: tuple[McpDefinition, ...]
    identity: str


def select_items_for_approval(
    pins: ServerPins, names: Collection[str] = (), *, as_pinned: bool = False
) -> ApprovalSelection:
    """Select what a person approves: quarantined and unapproved items.

    Args:
        names: Names or keys of items; none for all, and the server's identity.
        as_pinned: Approve the pinned definitions, not those observed since.
    """
    found = {key: pin.definition for key, pin in pins.items.items()}
    if not as_pinned:
        found |= {key: seen.definition for key, seen in pins.seen.items()}
    waiting = {
        key: definition
        for key, definition in found.items()
        if key in pins.seen or pins.items[key].pin_origin is not PinOrigin.APPROVED
    }
    if names:
        chosen = {k: d for k, d in found.items() if k in names or d.name in names}
        return ApprovalSelection(tuple(chosen.values()), "")
    known = pins.servers[-1].identity if pins.servers else ""
    identity = known if as_pinned or not pins.other else pins.other
    return ApprovalSelection(tuple(waiting.values()), identity)


def is_selection_current(pins: ServerPins, selection: ApprovalSelection) -> bool:
    """Return whether the reviewed items are still the latest known."""
    for each in selection.items:
        pin, seen = pins.items.get(each.key), pins.seen.get(each.key)
        known = [e.definition.sha256 for e in (pin, seen) if e is not None]
        if each.sha256 not in known:
            return False
    known_servers = [each.identity for each in pins.servers]
    return not selection.identity or selection.identity in (*known_servers, pins.other)


def apply_approval(
    pins: ServerPins, selection: ApprovalSelection, approval: DefinitionApproval
) -> ServerPins:
    """Pin what a person approved.

    Args:
        pins: Pins of the server.
    """
    keys = {each.key for each in selection.items}
    pinned = {
        each.key: DefinitionPin(each, approval.at, approval) for each in selection.items
    }
    found = replace(
        pins,
        items=pins.items | pinned,
        seen={key: seen for key, seen in pins.seen.items() if key not in keys},
    )
    if not selection.identity:
        return found
    others = tuple(e for e in pins.servers if e.identity != selection.identity)
    server = PinnedServerIdentity(selection.identity, approval.at, approval)
    return replace(
        found,
        servers=(*others, server)[-MAX_IDENTITIES:],
        other="",
        other_at=0,
    )


def approved_mappings(pins: Mapping[str, ServerPins]) -> dict[tuple[str, str], str]:
    """Return the approved AuthZEN mappings: (server, tool) -> JSON.

    A mapping comes from the governed server, so a mapping pinned at first use is
    ignored, and so is one of a quarantined tool or server.
    """
    return {
        (server, pin.definition.name): mapping
        for server, known in pins.items()
        if not known.has_identity_changed
        for key, pin in known.items.items()
        if pin.definition.kind is DefinitionKind.TOOL
        and pin.pin_origin is PinOrigin.APPROVED
        and key not in known.seen
        and (mapping := definition_authzen_mapping(pin.definition))
    }
