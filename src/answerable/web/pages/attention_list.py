"""Attention list of the overview: findings of the inventory, gravest first."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Thread
from weakref import WeakSet

from answerable.model.documents.core import AgentItem
from answerable.model.errors import AnswerableError
from answerable.web.pages import inventory_listings, subject_sections
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url, entity_page

MAX_ENTRIES = 24
_MAX_PER_KIND = 5
_MAX_KEYS = 12  # keys of which reach is worked out
_INLINE_IDENTITIES = 2_000  # identities up to which key reach is computed inline
_logger = logging.getLogger(__name__)
_UNOWNED_STATES = ("none", "owner-left", "ambiguous", "team-only")


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One entry of the attention list.

    Attributes:
        grave: Style: `bad`, `warn` or `plain`.
        subject: Id, empty for none.
        at: RFC 3339; empty for a state.
    """

    rank: int
    word: str
    grave: str
    subject: str
    said: str
    to: str
    at: str = ""


def inventory_items(desk: StoreCache) -> tuple[list[AttentionItem], bool]:
    """Return the entries of the inventory, and whether some are still being computed.

    In a large inventory the reach of keys is computed in the background at first.
    """
    looks = list(
        desk.get_derived("first: looks", lambda _: tuple(_iterate_items(desk)))
    )
    few = len(desk.current_view().inventory.facts.identities) <= _INLINE_IDENTITIES
    if not few and not desk.current_view().has_derived(_KEYS_CACHE):
        _start_key_computation(desk)
        return looks, True
    return [*looks, *_key_items(desk)], False


_KEYS_CACHE = "first: keys"
_IN_PROGRESS: WeakSet[StoreCache] = WeakSet()


def _key_items(desk: StoreCache) -> Sequence[AttentionItem]:
    return desk.get_derived(
        _KEYS_CACHE, lambda _: tuple(islice(_administrator_keys(desk), _MAX_PER_KIND))
    )


def _start_key_computation(desk: StoreCache) -> None:
    if desk not in _IN_PROGRESS:
        Thread(target=compute_key_items, args=(desk,), daemon=True).start()


def compute_key_items(desk: StoreCache) -> None:
    """Compute the reach of keys now, at most once at a time."""
    if desk in _IN_PROGRESS:
        return
    _IN_PROGRESS.add(desk)
    try:
        _key_items(desk)
    except AnswerableError as error:
        _logger.warning("the reach of keys could not be computed: %s", error.message)
    finally:
        _IN_PROGRESS.discard(desk)


def _iterate_items(desk: StoreCache) -> Iterator[AttentionItem]:
    yield from islice(_unowned_agents(desk), _MAX_PER_KIND)
    yield from islice(_departed_owners(desk), _MAX_PER_KIND)
    yield from islice(_unattended_tools(desk), _MAX_PER_KIND)
    yield from islice(_old_credentials(desk), _MAX_PER_KIND)
    yield from _partial_sources(desk)


def _unowned_agents(desk: StoreCache) -> Iterator[AttentionItem]:
    found = [
        a
        for a in inventory_listings.agents(desk).items
        if a["owner"]["state"] in _UNOWNED_STATES
    ]

    def gravity(item: AgentItem) -> tuple[bool, int]:
        return not item["unattended"], -len(item["identities"])

    for item in sorted(found, key=gravity):
        state = item["owner"]["state"]
        said = {
            "none": "this agent has no owner",
            "owner-left": "the owner of this agent has left",
            "ambiguous": "several people could answer for this agent",
            "team-only": "a team is named for this agent, and no person",
        }[state]
        acts = f"; it acts as {len(item['identities'])}" if item["identities"] else ""
        runs = ", unattended" if item["unattended"] else ""
        yield AttentionItem(
            30,
            "no owner",
            "bad",
            item["id"],
            f"{said}{runs}{acts}",
            entity_page(item["id"]),
        )


def _departed_owners(desk: StoreCache) -> Iterator[AttentionItem]:
    for item in inventory_listings.people(desk).items:
        if not item["alive"] and item["owns"]:
            said = f"has left, and is the owner of {len(item['owns'])}"
            yield AttentionItem(
                35, "owner left", "bad", item["id"], said, entity_page(item["id"])
            )


def _unattended_tools(desk: StoreCache) -> Iterator[AttentionItem]:
    owners = inventory_listings.current_inventory(desk).owners
    for tool in inventory_listings.tools(desk).items:
        if not (tool["unattended"] and tool["enabled"]):
            continue
        state = inventory_listings.owner_item(owners, tool["agent"])["state"]
        if state != "attested":
            said = f"{tool['id']} runs unattended; the owner of its agent is {state}"
            to = build_url("/tools", q=tool["id"], runs="unattended")
            yield AttentionItem(40, "unattended", "warn", tool["agent"], said, to)


def _administrator_keys(desk: StoreCache) -> Iterator[AttentionItem]:
    """Yield static keys whose identity has administrator permissions."""
    keys = [
        item
        for item in inventory_listings.credentials(desk).items
        if item["lifetime"] == "static" and item["identity"] and item["places"]
    ]
    keys.sort(key=lambda item: item["created_at"] or "9")
    for item in keys[:_MAX_KEYS]:
        reached = subject_sections.reach_section(desk, item["identity"] or "")
        if reached.rows and reached.rows[0]["admin"]:
            verdict = reached.rows[0]["verdict"]
            said = (
                f"a static key in {item['places'][0]['place']} reaches everything "
                f"({verdict})"
            )
            yield AttentionItem(
                20, "static key", "bad", item["id"], said, entity_page(item["id"])
            )


def _old_credentials(desk: StoreCache) -> Iterator[AttentionItem]:
    listing = inventory_listings.credentials(desk)
    count = listing.count_matching({"lifetime": "static", "age": "old"})
    if count:
        said = f"{count:,} static credentials are 90 days old or older"
        to = build_url("/credentials", lifetime="static", age="old", sort="made")
        yield AttentionItem(50, "old keys", "warn", "", said, to)


def _partial_sources(desk: StoreCache) -> Iterator[AttentionItem]:
    for source in inventory_listings.coverage_document(desk).coverage["sources"]:
        if source["problems"]:
            said = (
                f"{source['source']} could not be read whole: {source['problems'][0]}"
            )
            yield AttentionItem(45, "partial", "warn", "", said, "/agents")
