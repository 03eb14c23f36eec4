"""Select the inventory findings that the overview lists, most severe first."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Thread
from weakref import WeakSet

from answerable.model.documents.inventory import AgentItem
from answerable.model.errors import AnswerableError
from answerable.web.pages import inventory_list_definitions, subject_sections
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url, entity_page

MAX_ENTRIES = 24
_MAX_PER_KIND = 5
_MAX_KEYS = 12  # keys whose reach is computed
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


def list_inventory_findings(cache: StoreCache) -> tuple[list[AttentionItem], bool]:
    """Return the findings, and whether the reach of keys is still being computed.

    In a large inventory the reach of keys is computed in the background at first.
    """
    items = list(
        cache.get_derived("first: looks", lambda _: tuple(_list_inventory_items(cache)))
    )
    is_small = (
        len(cache.current_view().inventory.facts.identities) <= _INLINE_IDENTITIES
    )
    if not is_small and not cache.current_view().has_derived(_KEYS_CACHE):
        _start_key_computation(cache)
        return items, True
    return [*items, *_get_key_findings(cache)], False


_KEYS_CACHE = "first: keys"
_IN_PROGRESS: WeakSet[StoreCache] = WeakSet()


def _get_key_findings(cache: StoreCache) -> Sequence[AttentionItem]:
    """Return the findings about administrator keys, cached per store view."""
    return cache.get_derived(
        _KEYS_CACHE,
        lambda _: tuple(islice(_list_administrator_keys(cache), _MAX_PER_KIND)),
    )


def _start_key_computation(cache: StoreCache) -> None:
    """Compute the reach of keys in a background thread."""
    if cache not in _IN_PROGRESS:
        Thread(target=compute_key_findings, args=(cache,), daemon=True).start()


def compute_key_findings(cache: StoreCache) -> None:
    """Compute the findings about keys now, unless a computation runs."""
    if cache in _IN_PROGRESS:
        return
    _IN_PROGRESS.add(cache)
    try:
        _get_key_findings(cache)
    except AnswerableError as error:
        _logger.warning("the reach of keys could not be computed: %s", error.message)
    finally:
        _IN_PROGRESS.discard(cache)


def _list_inventory_items(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield the findings of every kind but keys, a few of each."""
    yield from islice(_list_unowned_agents(cache), _MAX_PER_KIND)
    yield from islice(_list_departed_owners(cache), _MAX_PER_KIND)
    yield from islice(_list_unattended_tools(cache), _MAX_PER_KIND)
    yield from islice(_count_old_credentials(cache), _MAX_PER_KIND)
    yield from _list_incomplete_sources(cache)


def _list_unowned_agents(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield agents without an owner, unattended ones first."""
    found = [
        a
        for a in inventory_list_definitions.agents(cache).items
        if a["owner"]["state"] in _UNOWNED_STATES
    ]

    def sort_key(item: AgentItem) -> tuple[bool, int]:
        return not item["unattended"], -len(item["identities"])

    for item in sorted(found, key=sort_key):
        state = item["owner"]["state"]
        text = {
            "none": "this agent has no owner",
            "owner-left": "the owner of this agent has left",
            "ambiguous": "the evidence names several possible owners of this agent",
            "team-only": "the evidence names a team, but no person, for this agent",
        }[state]
        acts = f"; it acts as {len(item['identities'])}" if item["identities"] else ""
        runs = ", unattended" if item["unattended"] else ""
        yield AttentionItem(
            30,
            "no owner",
            "bad",
            item["id"],
            f"{text}{runs}{acts}",
            entity_page(item["id"]),
        )


def _list_departed_owners(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield people who left and still own something."""
    for item in inventory_list_definitions.people(cache).items:
        if not item["alive"] and item["owns"]:
            text = f"has left, and is the owner of {len(item['owns'])}"
            yield AttentionItem(
                35, "owner left", "bad", item["id"], text, entity_page(item["id"])
            )


def _list_unattended_tools(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield unattended tools whose agent has no attested owner."""
    owners = inventory_list_definitions.get_current_inventory(cache).owners
    for tool in inventory_list_definitions.tools(cache).items:
        if not (tool["unattended"] and tool["enabled"]):
            continue
        state = inventory_list_definitions.get_owner_item(owners, tool["agent"])[
            "state"
        ]
        if state != "attested":
            text = f"{tool['id']} runs unattended; the owner of its agent is {state}"
            link = build_url("/tools", q=tool["id"], runs="unattended")
            yield AttentionItem(40, "unattended", "warn", tool["agent"], text, link)


def _list_administrator_keys(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield static keys whose identity has administrator permissions."""
    keys = [
        item
        for item in inventory_list_definitions.credentials(cache).items
        if item["lifetime"] == "static" and item["identity"] and item["places"]
    ]
    keys.sort(key=lambda item: item["created_at"] or "9")
    for item in keys[:_MAX_KEYS]:
        section = subject_sections.build_reach_section(cache, item["identity"] or "")
        if section.rows and section.rows[0]["admin"]:
            verdict = section.rows[0]["verdict"]
            text = (
                f"a static key in {item['places'][0]['place']} has access to "
                f"everything ({verdict})"
            )
            yield AttentionItem(
                20, "static key", "bad", item["id"], text, entity_page(item["id"])
            )


def _count_old_credentials(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield one entry that counts static credentials of 90 days or older."""
    listing = inventory_list_definitions.credentials(cache)
    count = listing.count_matching({"lifetime": "static", "age": "old"})
    if count:
        text = f"{count:,} static credentials are 90 days old or older"
        link = build_url("/credentials", lifetime="static", age="old", sort="made")
        yield AttentionItem(50, "old keys", "warn", "", text, link)


def _list_incomplete_sources(cache: StoreCache) -> Iterator[AttentionItem]:
    """Yield the sources that a scan could not read completely."""
    for source in inventory_list_definitions.build_coverage_document(cache).coverage[
        "sources"
    ]:
        if source["problems"]:
            text = (
                f"{source['source']} could not be read completely: "
                f"{source['problems'][0]}"
            )
            yield AttentionItem(45, "partial", "warn", "", text, "/agents")
