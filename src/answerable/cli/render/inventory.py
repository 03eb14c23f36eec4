"""Renderers of agents, tools, identities, credentials and persons as tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
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
from answerable.presentation.relative_time import ago

_SHOWN = 2


def owner_cells(owner: OwnerItem) -> tuple[str, str]:
    """Format state and person, then the score; never empty cells."""
    if owner["state"] == "none" or not owner["person"]:
        return owner["state"] or "none", ""
    person = owner["person"].removeprefix("person:")
    return f"{owner['state']} {person}", f"{owner['score']:.2f}"


def some(names: Sequence[str]) -> str:
    """Format the first few names, and count the others."""
    rest = len(names) - _SHOWN
    text = ", ".join(names[:_SHOWN])
    return f"{text} +{rest}" if rest > 0 else text


def short_names(identities: Iterable[str]) -> Callable[[str], str]:
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


def credential_text(credential: ToolCredentialItem | None, screen: Screen) -> str:
    """Format the kind and the storage of a credential, never its value."""
    if credential is None:
        return "none stated"
    hint = credential["hint"] and f" {screen.marks.ellipsis}{credential['hint']}"
    return f"{credential['class']} {credential['kind']}{hint}"


def agents(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per agent: owner, tools, identities."""
    columns = (
        Column("agent", 0),
        Column("owner", 1, floor=25),
        Column("score", 6),
        Column("tools", 3, floor=12),
        Column("acts as", 2, floor=14),
        Column("runs", 4),
        Column("kind", 5),
        Column("place", 6, floor=12),
    )
    rows = []
    items = cast("Sequence[AgentItem]", document.items)
    name = short_names(each for item in items for each in item["identities"])
    for item in items:
        tools = _tool_names(item)
        identities = [name(each) for each in item["identities"]]
        rows.append(
            (
                item["id"].removeprefix("agent:"),
                *owner_cells(item["owner"]),
                some(tools) or "none known",
                some(identities) or "not known",
                "unattended" if item["unattended"] else "attended",
                item["kind"],
                item["place"],
            )
        )
    yield from table(columns, rows, screen)


def _tool_names(item: AgentItem) -> list[str]:
    """List an agent's servers, then its shells."""
    servers = [t["server"] for t in item["tools"] if t["transport"] not in BUILT_IN]
    shells = [t["server"] for t in item["tools"] if t["transport"] == SHELL]
    return list(dict.fromkeys((*servers, *shells)))


def tools(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per tool and agent; read-only tools of one agent share a row."""
    columns = (
        Column("tool", 0),
        Column("agent", 2, floor=26),
        Column("credential", 1, floor=26),
        Column("acts as", 2, floor=20),
        Column("runs", 4),
        Column("client's rule", 3, floor=24),
        Column("target", 5, floor=24),
    )
    rows = []
    items = cast("Sequence[ToolItem]", document.items)
    name = short_names(each for item in items for each in item["identities"])
    for tool_ids, item in _together(items):
        runs = "unattended" if item["unattended"] else "attended"
        identities = [name(each) for each in item["identities"]]
        rows.append(
            (
                tool_ids,
                item["agent"].removeprefix("agent:"),
                credential_text(item["credential"], screen),
                _acts_as(item, some(identities)),
                runs if item["enabled"] else "disabled",
                item["rule"],
                item["target"],
            )
        )
    yield from table(columns, rows, screen)


def _together(items: Iterable[ToolItem]) -> Iterator[tuple[str, ToolItem]]:
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
    return item["transport"] in BUILT_IN and item["transport"] != SHELL


def _acts_as(item: ToolItem, identities: str) -> str:
    """Format the identities a tool acts as, or whose credential it could read."""
    if not _only_reads(item):
        return identities or "not known"
    return (
        f"only if it reads a credential: {identities}" if identities else "none known"
    )


def identities(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per identity."""
    columns = (
        Column("identity", 0),
        Column("owner", 1, floor=25),
        Column("score", 6),
        Column("agents", 2, floor=20),
        Column("keys", 4, right=True),
        Column("last used", 3),
        Column("kind", 4),
        Column("permissions", 4),
        Column("created", 5),
    )
    rows = [
        (
            item["id"],
            *owner_cells(item["owner"]),
            some([each.removeprefix("agent:") for each in item["agents"]])
            or "none known",
            str(len(item["credentials"]) or ""),
            ago(item["last_used_at"], now) or "not known",
            item["kind"],
            item["permissions"],
            ago(item["created_at"], now),
        )
        for item in cast("Sequence[IdentityItem]", document.items)
    ]
    yield from table(columns, rows, screen)


def credentials(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per credential: kind, users, identity, places."""
    columns = (
        Column("credential", 0),
        Column("kind", 1),
        Column("agent", 1, floor=18),
        Column("tool", 1, floor=12),
        Column("proves", 2, floor=14),
        Column("class", 4),
        Column("lives", 3, floor=12),
        Column("owner", 5, floor=25),
        Column("score", 7),
        Column("lies in", 3, floor=20),
        Column("places", 6, right=True),
        Column("last used", 7),
    )
    rows = []
    items = cast("Sequence[CredentialItem]", document.items)
    name = short_names(item["identity"] or "" for item in items)
    for item in items:
        proves = name(item["identity"]) if item["identity"] else item["how"]
        places = item["places"]
        agents = [each.removeprefix("agent:") for each in item["agents"]]
        tools = [_tool_name(each) for each in item["tools"]]
        rows.append(
            (
                item["id"],
                item["kind"] or "not known",
                some(agents) or "none known",
                some(tools) or "none known",
                proves or "not known",
                item["class"],
                _lives(item, now),
                *owner_cells(item["owner"]),
                places[0]["place"] if places else "",
                str(len(places)) if len(places) > 1 else "",
                ago(item["last_used_at"], now),
            )
        )
    yield from table(columns, rows, screen, together=True)


def _tool_name(tool: str) -> str:
    """Format a tool by its server, a built-in one with its client."""
    return tool.removeprefix("tool:").removeprefix("mcp/").removesuffix("/*")


def _lives(item: CredentialItem, now: int) -> str:
    """Format the lifetime class, then the age or the remaining time."""
    if item["expires_at"]:
        end = ago(item["expires_at"], now)
        return (
            f"{item['lifetime']}, {'ends ' if end.startswith('in') else 'ended '}{end}"
        )
    if item["created_at"]:
        return f"{item['lifetime']}, made {ago(item['created_at'], now)}"
    return item["lifetime"]


def people(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per person or team."""
    none = "none known" if document.coverage["not_collected"] else "0"
    columns = (
        Column("person", 0),
        Column("name", 2, floor=8),
        Column("is", 1),
        Column("owns", 1, right=True),
        Column("also known as", 3, floor=12),
    )
    rows = [
        (
            item["id"],
            item["name"],
            ("team" if item["team"] else "here") if item["alive"] else "left",
            str(len(item["owns"]) or none),
            some(item["aliases"]),
        )
        for item in cast("Sequence[PersonItem]", document.items)
    ]
    yield from table(columns, rows, screen)
