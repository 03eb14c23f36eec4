"""The table of methods is that of the schemas, revision by revision."""

import pytest

from answerable.server.mcp.methods import (
    INPUT_METHODS,
    METHODS,
    RETRYABLE_METHODS,
    McpRevision,
    MessageSender,
    TargetKind,
    find_method,
)

# The unions ClientRequest, ClientNotification, ServerRequest and ServerNotification of
# schema/REVISION/schema.ts; the tasks of 2026-07-28 of the extension's own schema.
CLIENT_REQUESTS = {
    McpRevision.V2025_06_18: "completion/complete initialize logging/setLevel ping prompts/get "
    "prompts/list resources/list resources/read resources/subscribe "
    "resources/templates/list resources/unsubscribe tools/call tools/list",
    McpRevision.V2025_11_25: "completion/complete initialize logging/setLevel ping prompts/get "
    "prompts/list resources/list resources/read resources/subscribe "
    "resources/templates/list resources/unsubscribe tools/call tools/list "
    "tasks/get tasks/result tasks/list tasks/cancel",
    McpRevision.V2026_07_28: "completion/complete prompts/get prompts/list resources/list "
    "resources/read resources/templates/list server/discover subscriptions/listen "
    "tools/call tools/list tasks/get tasks/update tasks/cancel",
}
CLIENT_NOTIFICATIONS = {
    McpRevision.V2025_06_18: "cancelled initialized progress roots/list_changed",
    McpRevision.V2025_11_25: "cancelled initialized progress roots/list_changed tasks/status",
    McpRevision.V2026_07_28: "cancelled",
}
SERVER_REQUESTS = {
    McpRevision.V2025_06_18: "elicitation/create ping roots/list sampling/createMessage",
    McpRevision.V2025_11_25: "elicitation/create ping roots/list sampling/createMessage "
    "tasks/get tasks/result tasks/list tasks/cancel",
    McpRevision.V2026_07_28: "",
}
SERVER_NOTIFICATIONS = {
    McpRevision.V2025_06_18: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed",
    McpRevision.V2025_11_25: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed elicitation/complete "
    "tasks/status",
    McpRevision.V2026_07_28: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed "
    "subscriptions/acknowledged tasks",
}
NAMED = list(CLIENT_REQUESTS)


def sent(era: McpRevision, sender: MessageSender, *, notifications: bool) -> set[str]:
    return {
        name
        for name, method in METHODS[era].items()
        if method.is_notification is notifications and find_method(era, name, sender)
    }


@pytest.mark.parametrize("era", NAMED)
@pytest.mark.parametrize(
    ("sender", "requests", "notifications"),
    [
        (MessageSender.CLIENT, CLIENT_REQUESTS, CLIENT_NOTIFICATIONS),
        (MessageSender.SERVER, SERVER_REQUESTS, SERVER_NOTIFICATIONS),
    ],
)
def test_each_revision_has_the_methods_of_its_schema(
    era: McpRevision,
    sender: MessageSender,
    requests: dict[McpRevision, str],
    notifications: dict[McpRevision, str],
) -> None:
    assert sent(era, sender, notifications=False) == set(requests[era].split())
    noted = {f"notifications/{name}" for name in notifications[era].split()}
    assert sent(era, sender, notifications=True) == noted


def test_a_client_that_names_no_revision_has_those_of_the_last_old_one() -> None:
    assert METHODS[McpRevision.UNNAMED] is METHODS[McpRevision.V2025_11_25]
    assert [era for era in McpRevision if era.is_modern] == [McpRevision.V2026_07_28]


def test_the_name_header_mirrors_what_the_specification_lists() -> None:
    # 2026-07-28 "Standard Request Headers", and the tasks extension "Routing Headers".
    mirrored = {
        (name, method.key)
        for era in McpRevision
        for name, method in METHODS[era].items()
        if method.mirrored and era.is_modern
    }
    assert mirrored == {
        ("tools/call", "name"),
        ("prompts/get", "name"),
        ("resources/read", "uri"),
        ("tasks/get", "taskId"),
        ("tasks/update", "taskId"),
        ("tasks/cancel", "taskId"),
    }


@pytest.mark.parametrize("era", list(McpRevision))
def test_whatever_is_decided_by_name_has_a_name(era: McpRevision) -> None:
    decided = {TargetKind.TOOL, TargetKind.RESOURCE, TargetKind.PROMPT, TargetKind.TASK}
    assert all(
        method.key for method in METHODS[era].values() if method.target in decided
    )


def test_inputs_are_what_a_server_may_ask_of_a_client() -> None:
    # 2026-07-28 basic/patterns/mrtr "Server Requirements", "Supported Requests".
    assert set(INPUT_METHODS) == {
        "elicitation/create",
        "sampling/createMessage",
        "roots/list",
    }
    assert set(INPUT_METHODS.values()) == {
        TargetKind.PERSON,
        TargetKind.MODEL,
        TargetKind.ROOTS,
    }
    assert set(METHODS[McpRevision.V2026_07_28]) >= RETRYABLE_METHODS


@pytest.mark.parametrize(
    ("era", "name", "sender"),
    [
        (McpRevision.V2026_07_28, "initialize", MessageSender.CLIENT),
        (McpRevision.V2026_07_28, "ping", MessageSender.CLIENT),
        (McpRevision.V2025_11_25, "server/discover", MessageSender.CLIENT),
        (McpRevision.V2025_06_18, "tasks/get", MessageSender.CLIENT),
        (McpRevision.V2025_11_25, "sampling/createMessage", MessageSender.CLIENT),
        (McpRevision.V2025_11_25, "tools/call", MessageSender.SERVER),
        (McpRevision.V2026_07_28, "Tools/call", MessageSender.CLIENT),
        (McpRevision.V2026_07_28, "", MessageSender.CLIENT),
    ],
)
def test_any_other_method_is_unknown(
    era: McpRevision, name: str, sender: MessageSender
) -> None:
    assert find_method(era, name, sender) is None
