"""List every MCP method, the revisions that have it, and its target.

A method that is not in this table is unknown and is refused: what cannot be named
cannot be decided on. The first column of each row's source is a page of the MCP
specification under /specification/REVISION/.

| methods | page |
|---|---|
| tools/list, tools/call | server/tools |
| resources/list, resources/templates/list, resources/read, resources/subscribe, resources/unsubscribe | server/resources |
| prompts/list, prompts/get | server/prompts |
| completion/complete | server/utilities/completion |
| logging/setLevel, notifications/message | server/utilities/logging (gone in 2026-07-28) |
| initialize, notifications/initialized | basic/lifecycle (gone in 2026-07-28) |
| ping | basic/utilities/ping (gone in 2026-07-28) |
| server/discover | server/discover (2026-07-28) |
| subscriptions/listen, notifications/subscriptions/acknowledged | basic/patterns/subscriptions (2026-07-28) |
| tasks/get, tasks/result, tasks/list, tasks/cancel | basic/utilities/tasks (2025-11-25) |
| tasks/get, tasks/update, tasks/cancel, notifications/tasks | extension io.modelcontextprotocol/tasks (2026-07-28) |
| roots/list, notifications/roots/list_changed | client/roots |
| sampling/createMessage | client/sampling |
| elicitation/create, notifications/elicitation/complete | client/elicitation |
| notifications/cancelled, notifications/progress | basic/utilities (basic/patterns in 2026-07-28) |
"""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.model.decision import HashableStrEnum, TargetKind


class McpRevision(HashableStrEnum):
    """Protocol revision, as the version header names it."""

    V2026_07_28 = "2026-07-28"
    V2025_11_25 = "2025-11-25"
    V2025_06_18 = "2025-06-18"
    # No header: the first message of a session, or a client that never sends it. The
    # session has the revision; otherwise it is 2025-03-26.
    UNNAMED = "unnamed"

    @property
    def is_modern(self) -> bool:
        """True where each request is independent, without a session."""
        return self is McpRevision.V2026_07_28


class MessageSender(HashableStrEnum):
    """Permitted sender of a method."""

    CLIENT = "client"
    SERVER = "server"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class McpMethod:
    """Method in one revision.

    Attributes:
        target: Kind of object that it acts on.
        key: Member of `params` that names the object, empty without one.
        sender: Permitted sender.
        mirrored: The Mcp-Name header must equal that member (2026-07-28).
        is_notification: It has no id.
    """

    target: TargetKind
    key: str = ""
    sender: MessageSender = MessageSender.CLIENT
    mirrored: bool = False
    is_notification: bool = False


def _build_notification_entry(
    target: TargetKind, sender: MessageSender, key: str = ""
) -> McpMethod:
    """Build the method table's entry of an MCP notification."""
    return McpMethod(target, key, sender, is_notification=True)


_EVERYWHERE = {
    "tools/list": McpMethod(TargetKind.LIST),
    "tools/call": McpMethod(TargetKind.TOOL, "name", mirrored=True),
    "resources/list": McpMethod(TargetKind.LIST),
    "resources/templates/list": McpMethod(TargetKind.LIST),
    "resources/read": McpMethod(TargetKind.RESOURCE, "uri", mirrored=True),
    "prompts/list": McpMethod(TargetKind.LIST),
    "prompts/get": McpMethod(TargetKind.PROMPT, "name", mirrored=True),
    "completion/complete": McpMethod(TargetKind.REFERENCE, "ref"),
    "notifications/cancelled": _build_notification_entry(
        TargetKind.REQUEST, MessageSender.EITHER, "requestId"
    ),
    "notifications/message": _build_notification_entry(
        TargetKind.LOGGING, MessageSender.SERVER
    ),
    "notifications/tools/list_changed": _build_notification_entry(
        TargetKind.LIST, MessageSender.SERVER
    ),
    "notifications/prompts/list_changed": _build_notification_entry(
        TargetKind.LIST, MessageSender.SERVER
    ),
    "notifications/resources/list_changed": _build_notification_entry(
        TargetKind.LIST, MessageSender.SERVER
    ),
    "notifications/resources/updated": _build_notification_entry(
        TargetKind.RESOURCE, MessageSender.SERVER, "uri"
    ),
}

_2025_06_18 = _EVERYWHERE | {
    "initialize": McpMethod(TargetKind.SESSION),
    "ping": McpMethod(TargetKind.PING, sender=MessageSender.EITHER),
    "logging/setLevel": McpMethod(TargetKind.LOGGING),
    "resources/subscribe": McpMethod(TargetKind.RESOURCE, "uri"),
    "resources/unsubscribe": McpMethod(TargetKind.RESOURCE, "uri"),
    "notifications/initialized": _build_notification_entry(
        TargetKind.SESSION, MessageSender.CLIENT
    ),
    "notifications/roots/list_changed": _build_notification_entry(
        TargetKind.ROOTS, MessageSender.CLIENT
    ),
    "notifications/progress": _build_notification_entry(
        TargetKind.REQUEST, MessageSender.EITHER, "progressToken"
    ),
    "roots/list": McpMethod(TargetKind.ROOTS, sender=MessageSender.SERVER),
    "sampling/createMessage": McpMethod(TargetKind.MODEL, sender=MessageSender.SERVER),
    "elicitation/create": McpMethod(TargetKind.PERSON, sender=MessageSender.SERVER),
}

_2025_11_25 = _2025_06_18 | {
    "tasks/get": McpMethod(TargetKind.TASK, "taskId", MessageSender.EITHER),
    "tasks/result": McpMethod(TargetKind.TASK, "taskId", MessageSender.EITHER),
    "tasks/cancel": McpMethod(TargetKind.TASK, "taskId", MessageSender.EITHER),
    "tasks/list": McpMethod(TargetKind.LIST, sender=MessageSender.EITHER),
    "notifications/tasks/status": _build_notification_entry(
        TargetKind.TASK, MessageSender.EITHER, "taskId"
    ),
    "notifications/elicitation/complete": _build_notification_entry(
        TargetKind.PERSON, MessageSender.SERVER
    ),
}

_2026_07_28 = _EVERYWHERE | {
    "server/discover": McpMethod(TargetKind.DISCOVERY),
    "subscriptions/listen": McpMethod(TargetKind.STREAM, "notifications"),
    "tasks/get": McpMethod(TargetKind.TASK, "taskId", mirrored=True),
    "tasks/update": McpMethod(TargetKind.TASK, "taskId", mirrored=True),
    "tasks/cancel": McpMethod(TargetKind.TASK, "taskId", mirrored=True),
    "notifications/progress": _build_notification_entry(
        TargetKind.REQUEST, MessageSender.SERVER, "progressToken"
    ),
    "notifications/subscriptions/acknowledged": _build_notification_entry(
        TargetKind.STREAM, MessageSender.SERVER
    ),
    "notifications/tasks": _build_notification_entry(
        TargetKind.TASK, MessageSender.SERVER, "taskId"
    ),
}

METHODS: Mapping[McpRevision, Mapping[str, McpMethod]] = {
    McpRevision.V2026_07_28: _2026_07_28,
    McpRevision.V2025_11_25: _2025_11_25,
    McpRevision.V2025_06_18: _2025_06_18,
    McpRevision.UNNAMED: _2025_11_25,
}

# What InputRequiredResult may ask of a client, each an action of its own
# (2026-07-28 basic/patterns/mrtr "InputRequests").
INPUT_METHODS: Mapping[str, TargetKind] = {
    "elicitation/create": TargetKind.PERSON,
    "sampling/createMessage": TargetKind.MODEL,
    "roots/list": TargetKind.ROOTS,
}

# Methods that may be answered with InputRequiredResult ("Supported Requests").
RETRYABLE_METHODS = frozenset({"tools/call", "resources/read", "prompts/get"})


def find_method(
    revision: McpRevision, name: str, sender: MessageSender
) -> McpMethod | None:
    """Find a method that `sender` may send; None for an unknown one."""
    method = METHODS[revision].get(name)
    if method is None or method.sender not in (sender, MessageSender.EITHER):
        return None
    return method
