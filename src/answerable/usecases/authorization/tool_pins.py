"""Compare and approve pinned MCP tool definitions (`tools diff`, `tools approve`)."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from answerable.authorization.pins.lookalikes import compare_name_similarity
from answerable.authorization.pins.pin_comparison import ApprovalSelection
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.config import Config
from answerable.model.definition_pin import (
    DefinitionApproval,
    DefinitionPin,
    McpDefinition,
    PinnedServerIdentity,
    PinOrigin,
    ServerPins,
    build_definition_id,
    split_definition_key,
)
from answerable.model.documents.pins import (
    DefinitionApprovalItem,
    DefinitionDiffItem,
    DefinitionFieldItem,
    PinnedItem,
    SimilarNameItem,
)
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId, build_person_id
from answerable.model.inventory import Inventory
from answerable.model.owner_signing_key import (
    StatementContent,
    StatementType,
    VerifiedStatement,
)
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.tool_approvals import ToolApprovalReader
from answerable.store.store import EvidenceStore

IDENTITY = "identity"
ANOTHER_SERVER = "another-server"
UNPROVEN = "unproven"

_ItemId = tuple[str, str]  # server, key of an item
# Signed approvals: digest of the statement -> pairs (id, digest).
SignedApprovals = Mapping[str, frozenset[tuple[str, str]]]


def read_signed_approvals(store: EvidenceStore, now: int) -> SignedApprovals:
    """Read the valid signed approvals: statement digest -> approved definitions.

    Raises:
        VerificationError: A stored object was changed.
    """
    approvals = ToolApprovalReader(store).read(now).active
    return {each.digest: frozenset(each.statement.claims) for each in approvals}


def show_definition_differences(
    pins_by_server: Mapping[str, ServerPins],
    servers: Iterable[str],
    approvals: SignedApprovals,
    *,
    include_unchanged: bool,
) -> Document:
    """Show definitions that differ, wait for approval or have a similar name.

    Args:
        pins_by_server: Pinned and seen definitions of every server.
        servers: Servers to list.
        include_unchanged: List unchanged definitions, too.
    """
    servers = list(servers)
    unseen = [
        server
        for server in servers
        if not (
            pins_by_server[server].items
            or pins_by_server[server].seen
            or pins_by_server[server].servers
        )
    ]
    coverage: CoverageRecord = {
        **build_empty_coverage(),
        "not_collected": [f"the definitions of {server}" for server in unseen],
    }
    names = {
        (server, key): split_definition_key(key)[1]
        for server, pins in pins_by_server.items()
        for key in pins.items.keys() | pins.seen.keys()
    }
    items = [
        item
        for server in servers
        for item in map(
            partial(_mark_proven_approval, approvals),
            _build_server_and_tool_items(server, pins_by_server[server], names),
        )
        if include_unchanged
        or item["quarantined"]
        or item["alike"]
        or item["state"] == UNPROVEN
    ]
    failed = any(item["state"] == UNPROVEN for item in items)
    searched = "" if len(unseen) < len(servers) else "no server has been seen yet"
    return Document("tools-diff", items, coverage, failed=failed, searched=searched)


def _build_server_and_tool_items(
    server: str, pins: ServerPins, names: Mapping[_ItemId, str]
) -> Iterator[DefinitionDiffItem]:
    """Build an item for the server's identity and one per tool definition."""
    if pins.servers or pins.other:
        yield _build_server_item(server, pins)
    for key in sorted(pins.items.keys() | pins.seen.keys()):
        yield _build_tool_item(server, key, pins, names)


def _mark_proven_approval(
    approvals: SignedApprovals, item: DefinitionDiffItem
) -> DefinitionDiffItem:
    """Mark whether the signed log proves an approval that the pin file claims."""
    pinned = item["pinned"]
    if pinned is None or pinned["statement"] is None:
        return item
    said = approvals.get(pinned["statement"], frozenset())
    pinned["proven"] = (item["id"], pinned["sha256"]) in said
    if not pinned["proven"] and not item["quarantined"]:
        item["state"] = UNPROVEN
    return item


def _build_server_item(server: str, pins: ServerPins) -> DefinitionDiffItem:
    """Build the item of the server's identity, compared with its pin."""
    last = pins.servers[-1] if pins.servers else None
    seen = pins.other or None
    differs = bool(seen)
    state = ANOTHER_SERVER if differs else _name_pin_state(last)
    held: PinnedItem | None = None
    if last is not None:
        held = _build_pinned_item(last.identity, last)
    difference: DefinitionFieldItem = {
        "field": IDENTITY,
        "pinned": None if last is None else last.identity,
        "seen": seen,
    }
    return {
        "id": f"server:{server}",
        "server": server,
        "kind": "server",
        "name": "",
        "state": state,
        "quarantined": differs,
        "since": format_time(pins.other_at) if differs else None,
        "pinned": held,
        "seen": seen,
        "differences": [difference] if differs else [],
        "alike": [],
    }


def _build_tool_item(
    server: str, key: str, pins: ServerPins, names: Mapping[_ItemId, str]
) -> DefinitionDiffItem:
    """Build the item of one tool or prompt: its pin and the definition seen last."""
    kind, name = split_definition_key(key)
    pin, seen = pins.items.get(key), pins.seen.get(key)
    return {
        "id": build_definition_id(server, kind, name),
        "server": server,
        "kind": kind.value,
        "name": name,
        "state": _name_pin_state(pin) if seen is None else seen.why.value,
        "quarantined": seen is not None,
        "since": None if seen is None else format_time(seen.at),
        "pinned": None
        if pin is None
        else _build_pinned_item(pin.definition.sha256, pin),
        "seen": None if seen is None else seen.definition.sha256,
        "differences": []
        if seen is None
        else compare_definitions(
            None if pin is None else pin.definition, seen.definition
        ),
        "alike": _list_similarly_named_tools(server, key, names) if name else [],
    }


def _name_pin_state(pin: DefinitionPin | PinnedServerIdentity | None) -> str:
    """Return `approved` for a pin with an approval, otherwise `pinned`."""
    return "approved" if pin is not None and pin.approval is not None else "pinned"


def _build_pinned_item(
    sha256: str, pin: DefinitionPin | PinnedServerIdentity
) -> PinnedItem:
    """Convert a pin to a document item: digest, time and approver."""
    word = pin.approval
    return {
        "sha256": sha256,
        "how": PinOrigin.FIRST_USE.value if word is None else PinOrigin.APPROVED.value,
        "at": format_time(pin.at),
        "person": None if word is None else word.person,
        "statement": None if word is None else word.statement,
        "proven": None,
    }


def compare_definitions(
    pinned: McpDefinition | None, seen: McpDefinition
) -> list[DefinitionFieldItem]:
    """Compare two definitions field by field; a new one differs in every field."""
    before = dict(pinned.fields) if pinned is not None else {}
    after = dict(seen.fields)
    return [
        {"field": field, "pinned": before.get(field), "seen": after.get(field)}
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]


def _list_similarly_named_tools(
    server: str, key: str, names: Mapping[_ItemId, str]
) -> list[SimilarNameItem]:
    """List items of the same kind with a similar name, on this or another server."""
    kind, name = split_definition_key(key)
    found: list[SimilarNameItem] = []
    for (other, other_key), other_name in names.items():
        if (other, other_key) == (server, key) or split_definition_key(other_key)[
            0
        ] is not kind:
            continue
        how = compare_name_similarity(name, other_name)
        if how is not None:
            found.append(
                {"id": build_definition_id(other, kind, other_name), "how": how.value}
            )
    return sorted(found, key=lambda each: (each["how"], each["id"]))


def list_approvers(config: Config, server: str) -> frozenset[PersonId]:
    """List who may approve a server; empty for any person with an enrolled key."""
    return frozenset(
        build_person_id(agent.owner)
        for agent in config.agents
        if agent.owner and any(rule.server == server for rule in agent.allow)
    )


def approve_definitions(
    store: EvidenceStore,
    inventory: Inventory,
    server: str,
    selection: ApprovalSelection,
    signer: StatementSigner,
    *,
    approvers: frozenset[PersonId],
    now: int,
) -> DefinitionApproval:
    """Record a signed approval of a server's current definitions.

    Args:
        store: Store of the enrolled keys, in which the statement is recorded.
        approvers: Persons who may approve; empty for any person with an enrolled key.
        now: UTC nanoseconds.

    Raises:
        UsageError: There is nothing to approve.
        VerificationError: The key is not valid now, or its person may not approve.
            Nothing is recorded.
    """
    claims = build_approval_claims(server, selection)
    if not claims:
        raise UsageError(
            f"{server} has no pending definitions to approve",
            "list the definitions with `answerable tools diff`",
        )
    content = StatementContent(
        StatementType.TOOLS_APPROVAL, f"server:{server}", dict(claims)
    )
    people = PersonDirectory(inventory.facts.persons)
    verified = ToolApprovalReader.sign(
        store,
        content,
        signer,
        now,
        require=lambda made: _require_approver(made, people, server, approvers),
    )
    return DefinitionApproval(people(verified.key.person), verified.digest, now)


def build_approval_claims(
    server: str, selection: ApprovalSelection
) -> tuple[tuple[str, str], ...]:
    """Build the claims of an approval, sorted: id -> digest."""
    found = {
        build_definition_id(server, each.kind, each.name): each.sha256
        for each in selection.items
    }
    if selection.identity:
        found[f"server:{server}"] = selection.identity
    return tuple(sorted(found.items()))


def _require_approver(
    verified: VerifiedStatement,
    people: PersonDirectory,
    server: str,
    approvers: frozenset[PersonId],
) -> None:
    """Refuse a signer who may not approve, or has left."""
    person = people(verified.key.person)
    known = people.get_merged_person(person)
    if known is not None and not known.alive:
        raise VerificationError(
            f"{person} has left the organization and cannot approve",
            "sign with the key of a person who is still active",
        )
    if approvers and person not in {people(each) for each in approvers}:
        who = ", ".join(sorted(approvers))
        raise VerificationError(
            f"the key {verified.key.id} belongs to {person} (expected a key of an "
            f"owner of an agent that uses {server}: {who})",
            "ask one of these owners to approve",
        )


def describe_approval(
    server: str, selection: ApprovalSelection, approval: DefinitionApproval
) -> Document:
    """Build the output of an approval of tool definitions."""
    items: list[DefinitionApprovalItem] = [
        {
            "id": name,
            "server": server,
            "sha256": digest,
            "person": approval.person,
            "statement": approval.statement,
        }
        for name, digest in build_approval_claims(server, selection)
    ]
    return Document("tools-approve", items, build_empty_coverage())
