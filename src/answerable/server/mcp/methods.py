"""Every MCP method, the revisions that have it, and what it acts on.

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

from answerable.model.decision import Target, Word


class Era(Word):
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
        return self is Era.V2026_07_28


class Sender(Word):
    """Permitted sender of a method."""

    CLIENT = "client"
    SERVER = "server"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Method:
    """Method in one revision.

    Attributes:
        target: Kind of object that it acts on.
        key: Member of `params` that names the object, empty without one.
        sender: Permitted sender.
        mirrored: The Mcp-Name header must equal that member (2026-07-28).
        is_notification: It has no id.
    """

    target: Target
    key: str = ""
    sender: Sender = Sender.CLIENT
    mirrored: bool = False
    is_notification: bool = False


def _note(target: Target, sender: Sender, key: str = "") -> Method:
    return Method(target, key, sender, is_notification=True)


_EVERYWHERE = {
    "tools/list": Method(Target.LIST),
    "tools/call": Method(Target.TOOL, "name", mirrored=True),
    "resources/list": Method(Target.LIST),
    "resources/templates/list": Method(Target.LIST),
    "resources/read": Method(Target.RESOURCE, "uri", mirrored=True),
    "prompts/list": Method(Target.LIST),
    "prompts/get": Method(Target.PROMPT, "name", mirrored=True),
    "completion/complete": Method(Target.REFERENCE, "ref"),
    "notifications/cancelled": _note(Target.REQUEST, Sender.EITHER, "requestId"),
    "notifications/message": _note(Target.LOGGING, Sender.SERVER),
    "notifications/tools/list_changed": _note(Target.LIST, Sender.SERVER),
    "notifications/prompts/list_changed": _note(Target.LIST, Sender.SERVER),
    "notifications/resources/list_changed": _note(Target.LIST, Sender.SERVER),
    "notifications/resources/updated": _note(Target.RESOURCE, Sender.SERVER, "uri"),
}

_2025_06_18 = _EVERYWHERE | {
    "initialize": Method(Target.SESSION),
    "ping": Method(Target.PING, sender=Sender.EITHER),
    "logging/setLevel": Method(Target.LOGGING),
    "resources/subscribe": Method(Target.RESOURCE, "uri"),
    "resources/unsubscribe": Method(Target.RESOURCE, "uri"),
    "notifications/initialized": _note(Target.SESSION, Sender.CLIENT),
    "notifications/roots/list_changed": _note(Target.ROOTS, Sender.CLIENT),
    "notifications/progress": _note(Target.REQUEST, Sender.EITHER, "progressToken"),
    "roots/list": Method(Target.ROOTS, sender=Sender.SERVER),
    "sampling/createMessage": Method(Target.MODEL, sender=Sender.SERVER),
    "elicitation/create": Method(Target.PERSON, sender=Sender.SERVER),
}

_2025_11_25 = _2025_06_18 | {
    "tasks/get": Method(Target.TASK, "taskId", Sender.EITHER),
    "tasks/result": Method(Target.TASK, "taskId", Sender.EITHER),
    "tasks/cancel": Method(Target.TASK, "taskId", Sender.EITHER),
    "tasks/list": Method(Target.LIST, sender=Sender.EITHER),
    "notifications/tasks/status": _note(Target.TASK, Sender.EITHER, "taskId"),
    "notifications/elicitation/complete": _note(Target.PERSON, Sender.SERVER),
}

_2026_07_28 = _EVERYWHERE | {
    "server/discover": Method(Target.DISCOVERY),
    "subscriptions/listen": Method(Target.STREAM, "notifications"),
    "tasks/get": Method(Target.TASK, "taskId", mirrored=True),
    "tasks/update": Method(Target.TASK, "taskId", mirrored=True),
    "tasks/cancel": Method(Target.TASK, "taskId", mirrored=True),
    "notifications/progress": _note(Target.REQUEST, Sender.SERVER, "progressToken"),
    "notifications/subscriptions/acknowledged": _note(Target.STREAM, Sender.SERVER),
    "notifications/tasks": _note(Target.TASK, Sender.SERVER, "taskId"),
}

METHODS: Mapping[Era, Mapping[str, Method]] = {
    Era.V2026_07_28: _2026_07_28,
    Era.V2025_11_25: _2025_11_25,
    Era.V2025_06_18: _2025_06_18,
    Era.UNNAMED: _2025_11_25,
}

# What InputRequiredResult may ask of a client, each an action of its own
# (2026-07-28 basic/patterns/mrtr "InputRequests").
INPUTS: Mapping[str, Target] = {
    "elicitation/create": Target.PERSON,
    "sampling/createMessage": Target.MODEL,
    "roots/list": Target.ROOTS,
}

# Methods that may be answered with InputRequiredResult ("Supported Requests").
RETRIED = frozenset({"tools/call", "resources/read", "prompts/get"})


def method_of(era: Era, name: str, sender: Sender) -> Method | None:
    """Find a method that `sender` may send; None for an unknown one."""
    method = METHODS[era].get(name)
    if method is None or method.sender not in (sender, Sender.EITHER):
        return None
    return method
