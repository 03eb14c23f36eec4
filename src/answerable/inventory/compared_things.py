"""Convert an inventory to comparable items with text fields."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.model.agent import Agent
from answerable.model.credential import Credential, CredentialClass
from answerable.model.inventory import Inventory, ToolUse
from answerable.model.person import OwnerState
from answerable.model.provenance import FactProvenance
from answerable.model.tool import BUILT_IN


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One of the two inventories.

    Attributes:
        root: Folder of a checkout, removed from the places in it; empty for none.
        pins: Digest of the approved tool definitions, by server.
        unread: Digests of the files that could not be read, by place; empty for a file
            that is missing or has no content that can be compared.
        unresolved: Digests of the bindings and attachments to an identity, a role or a
            policy that the side does not state, by name.
        uncompared: Changed things that are not evaluated.
        unevaluated: Digests of the files that state permissions in a language that is
            not evaluated, by place.
        empty: Whether it is a folder without any file.
        scope: What it is if it holds a part of its accounts only: `a Terraform plan`.
    """

    inventory: Inventory
    root: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    unresolved: Mapping[str, str] = field(default_factory=dict)
    uncompared: tuple[str, ...] = ()
    scope: str = ""
    empty: bool = False
    unevaluated: Mapping[str, str] = field(default_factory=dict)

    def shorten(self, text: str) -> str:
        """Return a text with places relative to the checkout."""
        if not self.root:
            return text
        return text.replace(f"{self.root}/", "").replace(self.root, ".")


@dataclass(frozen=True, slots=True)
class ComparedThing:
    """Thing of an inventory, as text fields.

    Attributes:
        fields: Compared values by name.
        source: Source that supplied it; empty for the store itself.
        account: Account, cluster or organization that holds it; empty for none.
        title: Value shown when the whole thing was added or removed.
    """

    fields: Mapping[str, str]
    source: str
    account: str
    place: str
    title: str
    risky: bool = False


# By kind, id and, for a tool, its agent.
ComparedThings = dict[tuple[str, str, str], ComparedThing]


def list_changed_unread_files(
    before: ComparedSide, after: ComparedSide
) -> tuple[str, ...]:
    """List the files that one side could not read, unless they are equal on both."""
    return _list_changed_places(before.unread, after.unread)


def list_changed_unresolved_grants(
    before: ComparedSide, after: ComparedSide
) -> tuple[str, ...]:
    """List the grants whose identity or permissions one side does not state."""
    return _list_changed_places(before.unresolved, after.unresolved)


def list_changed_unevaluated_files(
    before: ComparedSide, after: ComparedSide
) -> tuple[str, ...]:
    """List the files of two checkouts that are not evaluated, unless they are equal."""
    if not (before.root and after.root):
        return ()
    return _list_changed_places(before.unevaluated, after.unevaluated)


def _list_changed_places(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[str, ...]:
    """List the places whose digests differ, or have none before."""
    return tuple(
        place
        for place in sorted({*before, *after})
        if not before.get(place) or before.get(place) != after.get(place)
    )


def list_compared_things(side: ComparedSide) -> ComparedThings:
    """List everything in an inventory that is compared."""
    found: ComparedThings = {}
    for add in _LISTED:
        add(side, found)
    return found


def _add_agents(side: ComparedSide, found: ComparedThings) -> None:
    """Add the agents, and the tools of each."""
    for entity in side.inventory.agents.values():
        name = side.shorten(entity.agent.id)
        found["agent", name, ""] = _build_agent(side, entity.agent)
        for use in entity.tools:
            found["tool", str(use.tool.id), name] = _build_tool(side, use)


def _build_agent(side: ComparedSide, agent: Agent) -> ComparedThing:
    """Convert an agent."""
    fields = {
        "unattended": _format_flag(agent.unattended),
        "parent": side.shorten(agent.parent or ""),
        "runs as": _join_sorted(agent.runs_as),
        **{name: side.shorten(value) for name, value in agent.facts},
    }
    return _build_thing(
        side, fields, agent.seen, f"{agent.kind} {agent.name}", agent.unattended
    )


def _build_tool(side: ComparedSide, use: ToolUse) -> ComparedThing:
    """Convert a tool of an agent; built-in tools have no target of their own."""
    tool = use.tool
    fields = {
        "target": side.shorten(tool.target),
        "transport": tool.transport,
        "enabled": _format_flag(tool.enabled),
        "unattended": _format_flag(tool.unattended),
        "rule": side.shorten(tool.rule),
        "credentials": _join_sorted(_name_credentials(side, use)),
        "identities": _join_sorted(use.identities),
    }
    built_in = tool.transport in BUILT_IN
    title = tool.transport if built_in else f"{tool.transport} {tool.target}"
    return _build_thing(side, fields, tool.seen, side.shorten(title), tool.unattended)


def _name_credentials(side: ComparedSide, use: ToolUse) -> Iterator[str]:
    """Name the credentials of a tool by kind, name and form, never by fingerprint."""
    for key in use.credentials:
        entity = side.inventory.credentials.get(key)
        for each in entity.sightings[:1] if entity else ():
            yield f"{each.kind} {each.name} ({each.cls.value})"


def _add_credentials(side: ComparedSide, found: ComparedThings) -> None:
    """Add the credentials, each at each of its places.

    Fingerprints of two stores differ, so that the place and the name identify it.
    """
    for entity in side.inventory.credentials.values():
        for each in entity.sightings:
            if each.cls is CredentialClass.RECORD:
                subject = str(entity.id)
            else:
                subject = f"{each.kind} {each.name} in {side.shorten(each.place)}"
            found["credential", subject, ""] = _build_credential(
                side, each, str(entity.identity or "")
            )


def _build_credential(
    side: ComparedSide, each: Credential, identity: str
) -> ComparedThing:
    """Convert one place of a credential."""
    fields = {
        "class": each.cls.value,
        "lifetime": each.lifetime.value,
        "status": each.status,
        "identity": identity,
    }
    title = f"{each.lifetime.value}, {each.cls.value}"
    literal = each.cls is CredentialClass.LITERAL
    return _build_thing(side, fields, each.seen, title, literal)


def _add_identities(side: ComparedSide, found: ComparedThings) -> None:
    """Add the identities; what they can do is compared as permissions."""
    for each in side.inventory.facts.identities:
        fields = {"tags": _join_sorted(f"{k}={v}" for k, v in each.tags)}
        thing = _build_thing(side, fields, each.seen, each.kind, account=each.account)
        found["identity", str(each.id), ""] = thing


def _add_owners(side: ComparedSide, found: ComparedThings) -> None:
    """Add the owner of each subject; a suggested one is not an owner."""
    places = {
        str(each.id): (each.seen, each.account)
        for each in side.inventory.facts.identities
    }
    places |= {str(k): (e.agent.seen, "") for k, e in side.inventory.agents.items()}
    for subject in side.inventory.owners:
        if subject not in places:
            continue  # scoring an owner takes time
        owner = side.inventory.owners[subject]
        person = owner.person or ""
        if owner.state is OwnerState.SUGGESTED:
            person = ""
        if person:
            seen, account = places[subject]
            title = f"{person} ({owner.state.value})"
            found["owner", side.shorten(subject), ""] = _build_thing(
                side, {"owner": title}, seen, title, account=account
            )


def _add_pins(side: ComparedSide, found: ComparedThings) -> None:
    """Add the approved tool definitions of each server."""
    for server, digest in side.pins.items():
        found["pin", server, ""] = ComparedThing({"digest": digest}, "", "", "", digest)


_LISTED: Sequence[Callable[[ComparedSide, ComparedThings], None]] = (
    _add_agents,
    _add_credentials,
    _add_identities,
    _add_owners,
    _add_pins,
)


def _build_thing(
    side: ComparedSide,
    fields: Mapping[str, str],
    seen: FactProvenance,
    title: str,
    risky: bool = False,
    *,
    account: str = "",
) -> ComparedThing:
    """Build a thing with its source and place relative to the checkout."""
    source, place = side.shorten(seen.source), side.shorten(seen.place)
    return ComparedThing(fields, source, account, place, title, risky)


def _format_flag(value: bool) -> str:
    """Format a flag."""
    return "yes" if value else "no"


def _join_sorted(values: Iterable[str]) -> str:
    """Join values as sorted text."""
    return ", ".join(sorted(values))
