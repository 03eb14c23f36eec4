"""The table of methods is that of the schemas, revision by revision."""

import pytest

from answerable.server.mcp.methods import (
    INPUTS,
    METHODS,
    RETRIED,
    Era,
    Sender,
    Target,
    method_of,
)

# The unions ClientRequest, ClientNotification, ServerRequest and ServerNotification of
# schema/REVISION/schema.ts; the tasks of 2026-07-28 of the extension's own schema.
CLIENT_REQUESTS = {
    Era.V2025_06_18: "completion/complete initialize logging/setLevel ping prompts/get "
    "prompts/list resources/list resources/read resources/subscribe "
    "resources/templates/list resources/unsubscribe tools/call tools/list",
    Era.V2025_11_25: "completion/complete initialize logging/setLevel ping prompts/get "
    "prompts/list resources/list resources/read resources/subscribe "
    "resources/templates/list resources/unsubscribe tools/call tools/list "
    "tasks/get tasks/result tasks/list tasks/cancel",
    Era.V2026_07_28: "completion/complete prompts/get prompts/list resources/list "
    "resources/read resources/templates/list server/discover subscriptions/listen "
    "tools/call tools/list tasks/get tasks/update tasks/cancel",
}
CLIENT_NOTIFICATIONS = {
    Era.V2025_06_18: "cancelled initialized progress roots/list_changed",
    Era.V2025_11_25: "cancelled initialized progress roots/list_changed tasks/status",
    Era.V2026_07_28: "cancelled",
}
SERVER_REQUESTS = {
    Era.V2025_06_18: "elicitation/create ping roots/list sampling/createMessage",
    Era.V2025_11_25: "elicitation/create ping roots/list sampling/createMessage "
    "tasks/get tasks/result tasks/list tasks/cancel",
    Era.V2026_07_28: "",
}
SERVER_NOTIFICATIONS = {
    Era.V2025_06_18: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed",
    Era.V2025_11_25: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed elicitation/complete "
    "tasks/status",
    Era.V2026_07_28: "cancelled message progress prompts/list_changed "
    "resources/list_changed resources/updated tools/list_changed "
    "subscriptions/acknowledged tasks",
}
NAMED = list(CLIENT_REQUESTS)


def sent(era: Era, sender: Sender, *, notifications: bool) -> set[str]:
    return {
        name
        for name, method in METHODS[era].items()
        if method.is_notification is notifications and method_of(era, name, sender)
    }


@pytest.mark.parametrize("era", NAMED)
@pytest.mark.parametrize(
    ("sender", "requests", "notifications"),
    [
        (Sender.CLIENT, CLIENT_REQUESTS, CLIENT_NOTIFICATIONS),
        (Sender.SERVER, SERVER_REQUESTS, SERVER_NOTIFICATIONS),
    ],
)
def test_each_revision_has_the_methods_of_its_schema(
    era: Era, sender: Sender, requests: dict[Era, str], notifications: dict[Era, str]
) -> None:
    assert sent(era, sender, notifications=False) == set(requests[era].split())
    noted = {f"notifications/{name}" for name in notifications[era].split()}
    assert sent(era, sender, notifications=True) == noted


def test_a_client_that_names_no_revision_has_those_of_the_last_old_one() -> None:
    assert METHODS[Era.UNNAMED] is METHODS[Era.V2025_11_25]
    assert [era for era in Era if era.is_modern] == [Era.V2026_07_28]


def test_the_name_header_mirrors_what_the_specification_lists() -> None:
    # 2026-07-28 "Standard Request Headers", and the tasks extension "Routing Headers".
    mirrored = {
        (name, method.key)
        for era in Era
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


@pytest.mark.parametrize("era", list(Era))
def test_whatever_is_decided_by_name_has_a_name(era: Era) -> None:
    decided = {Target.TOOL, Target.RESOURCE, Target.PROMPT, Target.TASK}
    assert all(
        method.key for method in METHODS[era].values() if method.target in decided
    )


def test_inputs_are_what_a_server_may_ask_of_a_client() -> None:
    # 2026-07-28 basic/patterns/mrtr "Server Requirements", "Supported Requests".
    assert set(INPUTS) == {"elicitation/create", "sampling/createMessage", "roots/list"}
    assert set(INPUTS.values()) == {Target.PERSON, Target.MODEL, Target.ROOTS}
    assert set(METHODS[Era.V2026_07_28]) >= RETRIED


@pytest.mark.parametrize(
    ("era", "name", "sender"),
    [
        (Era.V2026_07_28, "initialize", Sender.CLIENT),
        (Era.V2026_07_28, "ping", Sender.CLIENT),
        (Era.V2025_11_25, "server/discover", Sender.CLIENT),
        (Era.V2025_06_18, "tasks/get", Sender.CLIENT),
        (Era.V2025_11_25, "sampling/createMessage", Sender.CLIENT),
        (Era.V2025_11_25, "tools/call", Sender.SERVER),
        (Era.V2026_07_28, "Tools/call", Sender.CLIENT),
        (Era.V2026_07_28, "", Sender.CLIENT),
    ],
)
def test_any_other_method_is_unknown(era: Era, name: str, sender: Sender) -> None:
    assert method_of(era, name, sender) is None
