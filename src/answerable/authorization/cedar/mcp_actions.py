"""Map MCP methods to Cedar actions, with resource type and use of arguments."""

from collections.abc import Mapping

from answerable.model.decision import TargetKind

# Cedar type of what is acted on. Everything without a name of its own acts on the
# server: lists, sessions, tasks, and what a server asks back.
ENTITY_TYPES: Mapping[TargetKind, str] = {
    TargetKind.TOOL: "Tool",
    TargetKind.RESOURCE: "Resource",
    TargetKind.PROMPT: "Prompt",
}
SERVER_TYPE = "Server"

RESOURCE_TYPES: Mapping[str, tuple[str, ...]] = {
    "tools/call": ("Tool",),
    "resources/read": ("Resource",),
    "resources/subscribe": ("Resource",),
    "resources/unsubscribe": ("Resource",),
    "notifications/resources/updated": ("Resource",),
    "prompts/get": ("Prompt",),
    "completion/complete": ("Prompt", "Resource"),
    "subscriptions/listen": ("Resource", SERVER_TYPE),
    **dict.fromkeys(
        (
            "tools/list",
            "resources/list",
            "resources/templates/list",
            "prompts/list",
            "tasks/list",
            "roots/list",
            "initialize",
            "ping",
            "server/discover",
            "logging/setLevel",
            "tasks/get",
            "tasks/result",
            "tasks/update",
            "tasks/cancel",
            "sampling/createMessage",
            "elicitation/create",
            "notifications/cancelled",
            "notifications/message",
            "notifications/initialized",
            "notifications/progress",
            "notifications/tools/list_changed",
            "notifications/tasks",
            "notifications/prompts/list_changed",
            "notifications/tasks/status",
            "notifications/resources/list_changed",
            "notifications/roots/list_changed",
            "notifications/elicitation/complete",
            "notifications/subscriptions/acknowledged",
        ),
        (SERVER_TYPE,),
    ),
}
WITH_ARGUMENTS = frozenset({"tools/call", "prompts/get"})
