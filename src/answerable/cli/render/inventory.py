"""Render agents, tools, identities, credentials and persons as tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import (
    AgentItem,
    CredentialItem,
    Document,
    IdentityItem,
    OwnerItem,
    PersonItem,
    ToolCredentialItem,
    ToolItem,
)
from answerable.model.tool import BUILT_IN, SHELL
from answerable.presentation.relative_time import format_ago

_MAX_NAMES = 2


def format_owner(owner: OwnerItem) -> tuple[str, str]:
    """Format state and person, then the score; never empty cells."""
    if owner["state"] == "none" or not owner["person"]:
        return owner["state"] or "none", ""
    person = owner["person"].removeprefix("person:")
    return f"{owner['state']} {person}", f"{owner['score']:.2f}"


def format_some_names(names: Sequence[str]) -> str:
    """Format the first few names, and count the others."""
    rest = len(names) - _MAX_NAMES
    text = ", ".join(names[:_MAX_NAMES])
    return f"{text} +{rest}" if rest > 0 else text


def build_name_shortener(identities: Iterable[str]) -> Callable[[str], str]:
    """Build a function that drops the account which all identities share."""
    accounts = {each.split(":", 5)[4] for each in identities if _is_iam(each)}

    def name(identity: str) -> str:
        if not _is_iam(identity):
            return identity
        parts = identity.split(":", 5)
        return parts[5] if len(accounts) == 1 else f"{parts[4]}:{parts[5]}"

    return name


def _is_iam(identity: str) -> bool:
    return identity.startswith("arn:") and identity.count(":") >= 5


def format_credential(credential: ToolCredentialItem | None, screen: Screen) -> str:
    """Format the kind and the storage of a credential, never its value."""
    if credential is None:
        return "none stated"
    hint = credential["hint"] and f" {screen.marks.ellipsis}{credential['hint']}"
    return f"{credential['class']} {credential['kind']}{hint}"


def render_agents(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per agent: owner, tools, identities."""
    columns = (
        TableColumn("agent", 0),
        TableColumn("owner", 1, floor=25),
        TableColumn("score", 6),
        TableColumn("tools", 3, floor=12),
        TableColumn("acts as", 2, floor=14),
        TableColumn("runs", 4),
        TableColumn("kind", 5),
        TableColumn("place", 6, floor=12),
    )
    rows = []
    items = cast("Sequence[AgentItem]", document.items)
    name = build_name_shortener(each for item in items for each in item["identities"])
    for item in items:
        tools = _list_tool_names(item)
        identities = [name(each) for each in item["identities"]]
        rows.append(
            (
                item["id"].removeprefix("agent:"),
                *format_owner(item["owner"]),
                format_some_names(tools) or "none known",
                format_some_names(identities) or "not known",
                "unattended" if item["unattended"] else "attended",
                item["kind"],
                item["place"],
            )
        )
    yield from render_table(columns, rows, screen)


def _list_tool_names(item: AgentItem) -> list[str]:
    """List an agent's servers, then its shells."""
    servers = [t["server"] for t in item["tools"] if t["transport"] not in BUILT_IN]
    shells = [t["server"] for t in item["tools"] if t["transport"] == SHELL]
    return list(dict.fromkeys((*servers, *shells)))


def render_tools(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per tool and agent; read-only tools of one agent share a row."""
    columns = (
        TableColumn("tool", 0),
        TableColumn("agent", 2, floor=26),
        TableColumn("credential", 1, floor=26),
        TableColumn("acts as", 2, floor=20),
        TableColumn("runs", 4),
        TableColumn("client's rule", 3, floor=24),
        TableColumn("target", 5, floor=24),
    )
    rows = []
    items = cast("Sequence[ToolItem]", document.items)
    name = build_name_shortener(each for item in items for each in item["identities"])
    for tool_ids, item in _group_tools(items):
        runs = "unattended" if item["unattended"] else "attended"
        identities = [name(each) for each in item["identities"]]
        rows.append(
            (
                tool_ids,
                item["agent"].removeprefix("agent:"),
                format_credential(item["credential"], screen),
                _format_identities(item, format_some_names(identities)),
                runs if item["enabled"] else "disabled",
                item["rule"],
                item["target"],
            )
        )
    yield from render_table(columns, rows, screen)


def _group_tools(items: Iterable[ToolItem]) -> Iterator[tuple[str, ToolItem]]:
    """Yield the tools of each row with their representative item.

    Built-in tools that read files or pages are many and similar: those of one agent
    with the same rule and state share a row.
    """
    groups: dict[tuple[object, ...], list[ToolItem]] = {}
    for number, item in enumerate(items):
        rule = item["rule"].replace(item["server"], "")
        state = (item["enabled"], item["unattended"], rule)
        key: tuple[object, ...] = (number,)
        if _only_reads(item):
            key = (item["agent"], item["target"], *state, *item["identities"])
        groups.setdefault(key, []).append(item)
    for found in groups.values():
        first, rest = found[0], "".join(f", {item['server']}" for item in found[1:])
        rule = first["rule"].replace(first["server"], first["server"] + rest)
        yield first["id"] + rest, {**first, "rule": rule}


def _only_reads(item: ToolItem) -> bool:
    """Return whether a tool is a client's built-in one that only reads."""
    return item["transport"] in BUILT_IN and item["transport"] != SHELL


def _format_identities(item: ToolItem, identities: str) -> str:
    """Format the identities a tool acts as, or whose credential it could read."""
    if not _only_reads(item):
        return identities or "not known"
    return (
        f"only if it reads a credential: {identities}" if identities else "none known"
    )


def render_identities(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per identity."""
    columns = (
        TableColumn("identity", 0),
        TableColumn("owner", 1, floor=25),
        TableColumn("score", 6),
        TableColumn("agents", 2, floor=20),
        TableColumn("keys", 4, right=True),
        TableColumn("last used", 3),
        TableColumn("kind", 4),
        TableColumn("permissions", 4),
        TableColumn("created", 5),
    )
    rows = [
        (
            item["id"],
            *format_owner(item["owner"]),
            format_some_names([each.removeprefix("agent:") for each in item["agents"]])
            or "none known",
            str(len(item["credentials"]) or ""),
            format_ago(item["last_used_at"], now) or "not known",
            item["kind"],
            item["permissions"],
            format_ago(item["created_at"], now),
        )
        for item in cast("Sequence[IdentityItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)


def render_credentials(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per credential: kind, users, identity, places."""
    columns = (
        TableColumn("credential", 0),
        TableColumn("kind", 1),
        TableColumn("agent", 1, floor=18),
        TableColumn("tool", 1, floor=12),
        TableColumn("proves", 2, floor=14),
        TableColumn("class", 4),
        TableColumn("lives", 3, floor=12),
        TableColumn("owner", 5, floor=25),
        TableColumn("score", 7),
        TableColumn("lies in", 3, floor=20),
        TableColumn("places", 6, right=True),
        TableColumn("last used", 7),
    )
    rows = []
    items = cast("Sequence[CredentialItem]", document.items)
    name = build_name_shortener(item["identity"] or "" for item in items)
    for item in items:
        proves = name(item["identity"]) if item["identity"] else item["how"]
        places = item["places"]
        agents = [each.removeprefix("agent:") for each in item["agents"]]
        tools = [_format_tool_name(each) for each in item["tools"]]
        rows.append(
            (
                item["id"],
                item["kind"] or "not known",
                format_some_names(agents) or "none known",
                format_some_names(tools) or "none known",
                proves or "not known",
                item["class"],
                _format_lifetime(item, now),
                *format_owner(item["owner"]),
                places[0]["place"] if places else "",
                str(len(places)) if len(places) > 1 else "",
                format_ago(item["last_used_at"], now),
            )
        )
    yield from render_table(columns, rows, screen, keep_together=True)


def _format_tool_name(tool: str) -> str:
    """Format a tool by its server, a built-in one with its client."""
    return tool.removeprefix("tool:").removeprefix("mcp/").removesuffix("/*")


def _format_lifetime(item: CredentialItem, now: int) -> str:
    """Format the lifetime class, then the age or the remaining time."""
    if item["expires_at"]:
        end = format_ago(item["expires_at"], now)
        return (
            f"{item['lifetime']}, {'ends ' if end.startswith('in') else 'ended '}{end}"
        )
    if item["created_at"]:
        return f"{item['lifetime']}, made {format_ago(item['created_at'], now)}"
    return item["lifetime"]


def render_people(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per person or team."""
    none = "none known" if document.coverage["not_collected"] else "0"
    columns = (
        TableColumn("person", 0),
        TableColumn("name", 2, floor=8),
        TableColumn("is", 1),
        TableColumn("owns", 1, right=True),
        TableColumn("also known as", 3, floor=12),
    )
    rows = [
        (
            item["id"],
            item["name"],
            ("team" if item["team"] else "here") if item["alive"] else "left",
            str(len(item["owns"]) or none),
            format_some_names(item["aliases"]),
        )
        for item in cast("Sequence[PersonItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)
