"""Pinned tool definitions: differences and approvals (`tools diff`, `approve`)."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from answerable.authorization.pins.lookalikes import alike
from answerable.authorization.pins.observation import Choice
from answerable.evidence import signed_statements
from answerable.inventory.people import People
from answerable.model.config import Config
from answerable.model.documents.core import Coverage, Document
from answerable.model.documents.pins import (
    AlikeItem,
    DifferenceItem,
    PinnedItem,
    ToolsApproveItem,
    ToolsDiffItem,
)
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId, person_id
from answerable.model.inventory import Inventory
from answerable.model.owner_key import Statement, StatementType, Verified
from answerable.model.pin import (
    Approval,
    Definition,
    How,
    Pin,
    PinnedServer,
    Pins,
    item_id,
    item_of,
)
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import Signatory
from answerable.services.statements.verified_statements import unheld, verify_statements
from answerable.store.store import Store

APPROVAL = "tools-approval"  # kind of the stored object
IDENTITY = "identity"
ANOTHER = "another-server"
# Pins come from what the gateway saw, not from a scanned source.
_COVERAGE: Coverage = {
    "partial": False,
    "sources": [],
    "seen": [],
    "not_collected": [],
}

UNPROVEN = "unproven"

_Id = tuple[str, str]  # server, key of an item
# Signed approvals: digest of the statement -> pairs (id, digest).
Signed = Mapping[str, frozenset[tuple[str, str]]]


def signed(store: Store) -> Signed:
    """Read the valid approvals from the log.

    Raises:
        VerificationError: A stored object was changed.
    """
    said, _ = verify_statements(store, APPROVAL, signed_statements.verify, unheld)
    return {
        each.digest: frozenset(each.statement.claims)
        for each in said
        if each.statement.type is StatementType.TOOLS_APPROVAL
    }


def diff(
    known: Mapping[str, Pins],
    servers: Iterable[str],
    words: Signed,
    *,
    every: bool,
) -> Document:
    """Show definitions that differ, wait for approval or have a similar name.

    Args:
        known: Pinned and seen definitions of every server.
        servers: Servers to list.
        every: List unchanged definitions, too.
    """
    servers = list(servers)
    unseen = [
        server
        for server in servers
        if not (known[server].items or known[server].seen or known[server].servers)
    ]
    coverage: Coverage = {
        **_COVERAGE,
        "not_collected": [f"what {server} defines" for server in unseen],
    }
    names = {
        (server, key): item_of(key)[1]
        for server, pins in known.items()
        for key in pins.items.keys() | pins.seen.keys()
    }
    items = [
        item
        for server in servers
        for item in map(partial(_proven, words), _items(server, known[server], names))
        if every or item["quarantined"] or item["alike"] or item["state"] == UNPROVEN
    ]
    failed = any(item["state"] == UNPROVEN for item in items)
    searched = "" if len(unseen) < len(servers) else "no server was seen here yet"
    return Document("tools-diff", items, coverage, failed=failed, searched=searched)


def _items(
    server: str, pins: Pins, names: Mapping[_Id, str]
) -> Iterator[ToolsDiffItem]:
    if pins.servers or pins.other:
        yield _server(server, pins)
    for key in sorted(pins.items.keys() | pins.seen.keys()):
        yield _item(server, key, pins, names)


def _proven(words: Signed, item: ToolsDiffItem) -> ToolsDiffItem:
    """Compare an approval in the pin file, which others may write, with the log."""
    pinned = item["pinned"]
    if pinned is None or pinned["statement"] is None:
        return item
    said = words.get(pinned["statement"], frozenset())
    pinned["proven"] = (item["id"], pinned["sha256"]) in said
    if not pinned["proven"] and not item["quarantined"]:
        item["state"] = UNPROVEN
    return item


def _server(server: str, pins: Pins) -> ToolsDiffItem:
    last = pins.servers[-1] if pins.servers else None
    seen = pins.other or None
    differs = bool(seen)
    state = ANOTHER if differs else _how(last)
    held: PinnedItem | None = None
    if last is not None:
        held = _held(last.identity, last)
    difference: DifferenceItem = {
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
        "since": spelled_time(pins.other_at) if differs else None,
        "pinned": held,
        "seen": seen,
        "differences": [difference] if differs else [],
        "alike": [],
    }


def _item(server: str, key: str, pins: Pins, names: Mapping[_Id, str]) -> ToolsDiffItem:
    kind, name = item_of(key)
    pin, seen = pins.items.get(key), pins.seen.get(key)
    return {
        "id": item_id(server, kind, name),
        "server": server,
        "kind": kind.value,
        "name": name,
        "state": _how(pin) if seen is None else seen.why.value,
        "quarantined": seen is not None,
        "since": None if seen is None else spelled_time(seen.at),
        "pinned": None if pin is None else _held(pin.definition.sha256, pin),
        "seen": None if seen is None else seen.definition.sha256,
        "differences": []
        if seen is None
        else differences(None if pin is None else pin.definition, seen.definition),
        "alike": _alike(server, key, names) if name else [],
    }


def _how(pin: Pin | PinnedServer | None) -> str:
    return "approved" if pin is not None and pin.approval is not None else "pinned"


def _held(sha256: str, pin: Pin | PinnedServer) -> PinnedItem:
    word = pin.approval
    return {
        "sha256": sha256,
        "how": How.FIRST_USE.value if word is None else How.APPROVED.value,
        "at": spelled_time(pin.at),
        "person": None if word is None else word.person,
        "statement": None if word is None else word.statement,
        "proven": None,
    }


def differences(pinned: Definition | None, seen: Definition) -> list[DifferenceItem]:
    """Compare two definitions field by field; a new one differs in every field."""
    before = dict(pinned.fields) if pinned is not None else {}
    after = dict(seen.fields)
    return [
        {"field": field, "pinned": before.get(field), "seen": after.get(field)}
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]


def _alike(server: str, key: str, names: Mapping[_Id, str]) -> list[AlikeItem]:
    """List items of the same kind with a similar name, on this or another server."""
    kind, name = item_of(key)
    found: list[AlikeItem] = []
    for (other, other_key), other_name in names.items():
        if (other, other_key) == (server, key) or item_of(other_key)[0] is not kind:
            continue
        how = alike(name, other_name)
        if how is not None:
            found.append({"id": item_id(other, kind, other_name), "how": how.value})
    return sorted(found, key=lambda each: (each["how"], each["id"]))


def approvers(config: Config, server: str) -> frozenset[PersonId]:
    """List who may approve a server; empty for any person with an enrolled key."""
    return frozenset(
        person_id(agent.owner)
        for agent in config.agents
        if agent.owner and any(rule.server == server for rule in agent.allow)
    )


def approve(
    store: Store,
    inventory: Inventory,
    server: str,
    chosen: Choice,
    signer: Signatory,
    *,
    allowed: frozenset[PersonId],
    now: int,
) -> Approval:
    """Record a signed approval of a server's current definitions.

    Args:
        store: Store of the enrolled keys, in which the statement is recorded.
        allowed: Persons who may approve; empty for any person with an enrolled key.
        now: UTC nanoseconds.

    Raises:
        UsageError: There is nothing to approve.
        VerificationError: The key is not valid now, or its person may not approve.
            Nothing is recorded.
    """
    claims = claims_of(server, chosen)
    if not claims:
        raise UsageError(
            f"{server} has nothing that waits to be approved",
            "see `answerable tools diff`",
        )
    said = Statement(
        StatementType.TOOLS_APPROVAL,
        f"server:{server}",
        claims,
        signer.at(now),
        signer.id,
        owner_keys.identity(store),
    )
    envelope = signer.envelope(said)
    verified = owner_keys.verify_statement(store, envelope, now)
    person = _may(verified, People(inventory.facts.persons), server, allowed)
    store.put_object(APPROVAL, envelope, now)
    return Approval(person, verified.digest, now)


def claims_of(server: str, chosen: Choice) -> tuple[tuple[str, str], ...]:
    """Build the claims of an approval, sorted: id -> digest."""
    found = {
        item_id(server, each.kind, each.name): each.sha256 for each in chosen.items
    }
    if chosen.identity:
        found[f"server:{server}"] = chosen.identity
    return tuple(sorted(found.items()))


def _may(
    verified: Verified, people: People, server: str, allowed: frozenset[PersonId]
) -> PersonId:
    """Return the signer if they may approve."""
    person = people(verified.key.person)
    known = people.get(person)
    if known is not None and not known.alive:
        raise VerificationError(
            f"{person} has left, and approves nothing any more",
            "let a person sign who has not left",
        )
    if allowed and person not in {people(each) for each in allowed}:
        who = ", ".join(sorted(allowed))
        raise VerificationError(
            f"the key {verified.key.id} is {person}'s (expected a key of who answers "
            f"for an agent that uses {server}: {who})",
            "let one of them approve",
        )
    return person


def told(server: str, chosen: Choice, approval: Approval) -> Document:
    """Build the document of an approval."""
    items: list[ToolsApproveItem] = [
        {
            "id": name,
            "server": server,
            "sha256": digest,
            "person": approval.person,
            "statement": approval.statement,
        }
        for name, digest in claims_of(server, chosen)
    ]
    return Document("tools-approve", items, _COVERAGE)
