"""JSON output about protected clients. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class ProtectionStatusItem(TypedDict):
    """`answerable protect status`: one server of one client each."""

    client: Annotated[str, Column("the client", "", 0)]
    server: Annotated[
        str,
        Column(
            "name of the entry in the client's file; empty for the whole file", "", 0
        ),
    ]
    state: Annotated[
        str,
        Column(
            "`mediated`: the entry starts the gateway, see `start`; `bypass`: the client connects to the server directly, or a log contains its key without a call of the gateway; `refused`: `protect` cannot move the entry, see `detail`; `hook`: the hook decides on the client's own tools; `no-hook`",
            "state",
            0,
        ),
    ]
    agent: Annotated[
        str | None,
        Column("agent in the configuration; null for none", "", 2, "short-id"),
    ]
    mode: Annotated[
        str | None, Column("mode of that agent; null without agent", "", 1, "words")
    ]
    gateway_server: Annotated[
        str | None, Column("server in the configuration; null for none")
    ]
    calls: Annotated[
        int | None,
        Column(
            "recorded calls of the last 7 days; null for no agent, or not known",
            "",
            1,
            "count",
            right=True,
        ),
    ]
    would_deny: Annotated[
        int | None,
        Column(
            "number of these calls with a decision other than allow, which `enforce` "
            "denies; null as for `calls`",
            "denied",
            1,
            "count",
            right=True,
        ),
    ]
    last_call: Annotated[
        str | None,
        Column("newest call of the last 7 days; null for none", "last", 2, "minute"),
    ]
    runs: Annotated[
        int | None,
        Column(
            "recorded runs of the agent without a denied call in 90 days; null as for "
            "`calls`",
            "",
            2,
            "count",
            right=True,
        ),
    ]
    key_uses_unmediated: Annotated[
        int | None,
        Column(
            "uses of the server's key in ingested logs of the last 7 days without a "
            "matching call of the gateway; null without a key (AWS, GitHub, Google "
            "Cloud, Kubernetes), without a log, or if not known",
            "key used outside",
            2,
            "count",
            right=True,
        ),
    ]
    keys_unrecognised: Annotated[
        list[str],
        Column(
            "moved keys of the server, each with its kind, that no log contains, even as a digest; no log can show their use outside the gateway",
            "keys not in logs",
            1,
            "names",
        ),
    ]
    start: Annotated[
        str | None,
        Column(
            "last recorded start of the server through the gateway: `started` or `failed`, with the reason in `detail`; null for none recorded, or not known",
            "",
            2,
            "words",
        ),
    ]
    started_at: Annotated[
        str | None,
        Column("time of that start; null for none", "", 3, "minute"),
    ]
    detail: Annotated[
        str,
        Column(
            "reason why the gateway does not mediate the entry, or the progress of the agent towards enforcement",
            "why",
            1,
        ),
    ]
    next: Annotated[str, Column("next step for this row, empty for none", "next", 1)]


class AgentModeItem(TypedDict):
    """`answerable tighten` and `answerable loosen`: one rule of the agent each."""

    agent: Annotated[str, Column("the agent", "", 0, "short-id")]
    mode: Annotated[str, Column("the new mode", "", 0, "words")]
    before: Annotated[str, Column("the mode until now", "", 1, "words")]
    server: Annotated[
        str | None, Column("server of the rule; null if the server has no rule", "", 0)
    ]
    tools: Annotated[list[str], Column("tools that the rule allows", "", 0, "names")]
    resources: Annotated[
        list[str], Column("resources that the rule allows", "", 2, "names")
    ]
    prompts: Annotated[
        list[str], Column("prompts that the rule allows", "", 2, "names")
    ]
    left_out: Annotated[
        list[str],
        Column(
            "recorded names that end with `*`; no rule can allow exactly such a name",
            "left out",
            3,
            "names",
        ),
    ]
    refused: Annotated[
        list[str],
        Column(
            "calls of the last 7 days that these rules deny in `enforce`, each with "
            "name and number",
            "would refuse",
            1,
            "names",
        ),
    ]
