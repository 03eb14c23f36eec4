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
from answerable.web.store_cache import Desk
from answerable.web.template_filters import page_of, url

MOST = 24
_EACH = 5
_ASKED = 12  # keys of which reach is worked out
_FEW = 2_000  # identities up to which key reach is computed inline
_logger = logging.getLogger(__name__)
_NOBODY = ("none", "owner-left", "ambiguous", "team-only")


@dataclass(frozen=True, slots=True)
class Look:
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


def of_inventory(desk: Desk) -> tuple[list[Look], bool]:
    """Return the entries of the inventory, and whether some are still being computed.

    In a large inventory the reach of keys is computed in the background at first.
    """
    looks = list(desk.kept("first: looks", lambda _: tuple(_looks(desk))))
    few = len(desk.standing().inventory.facts.identities) <= _FEW
    if not few and not desk.standing().has(_KEYS):
        _work_out(desk)
        return looks, True
    return [*looks, *_keys(desk)], False


_KEYS = "first: keys"
_WORKING: WeakSet[Desk] = WeakSet()


def _keys(desk: Desk) -> Sequence[Look]:
    return desk.kept(_KEYS, lambda _: tuple(islice(_reaching_keys(desk), _EACH)))


def _work_out(desk: Desk) -> None:
    if desk not in _WORKING:
        Thread(target=work_out, args=(desk,), daemon=True).start()


def work_out(desk: Desk) -> None:
    """Compute the reach of keys now, at most once at a time."""
    if desk in _WORKING:
        return
    _WORKING.add(desk)
    try:
        _keys(desk)
    except AnswerableError as error:
        _logger.warning("the reach of keys could not be computed: %s", error.message)
    finally:
        _WORKING.discard(desk)


def _looks(desk: Desk) -> Iterator[Look]:
    yield from islice(_unowned(desk), _EACH)
    yield from islice(_left(desk), _EACH)
    yield from islice(_unattended(desk), _EACH)
    yield from islice(_old_keys(desk), _EACH)
    yield from _partial(desk)


def _unowned(desk: Desk) -> Iterator[Look]:
    found = [
        a
        for a in inventory_listings.agents(desk).items
        if a["owner"]["state"] in _NOBODY
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
        yield Look(
            30,
            "no owner",
            "bad",
            item["id"],
            f"{said}{runs}{acts}",
            page_of(item["id"]),
        )


def _left(desk: Desk) -> Iterator[Look]:
    for item in inventory_listings.people(desk).items:
        if not item["alive"] and item["owns"]:
            said = f"has left, and is the owner of {len(item['owns'])}"
            yield Look(35, "owner left", "bad", item["id"], said, page_of(item["id"]))


def _unattended(desk: Desk) -> Iterator[Look]:
    owners = inventory_listings.judged(desk).owners
    for tool in inventory_listings.tools(desk).items:
        if not (tool["unattended"] and tool["enabled"]):
            continue
        state = inventory_listings.owner(owners, tool["agent"])["state"]
        if state != "attested":
            said = f"{tool['id']} runs unattended; the owner of its agent is {state}"
            to = url("/tools", q=tool["id"], runs="unattended")
            yield Look(40, "unattended", "warn", tool["agent"], said, to)


def _reaching_keys(desk: Desk) -> Iterator[Look]:
    """Yield static keys whose identity has administrator permissions."""
    keys = [
        item
        for item in inventory_listings.credentials(desk).items
        if item["lifetime"] == "static" and item["identity"] and item["places"]
    ]
    keys.sort(key=lambda item: item["created_at"] or "9")
    for item in keys[:_ASKED]:
        reached = subject_sections.reached(desk, item["identity"] or "")
        if reached.rows and reached.rows[0]["admin"]:
            verdict = reached.rows[0]["verdict"]
            said = (
                f"a static key in {item['places'][0]['place']} reaches everything "
                f"({verdict})"
            )
            yield Look(20, "static key", "bad", item["id"], said, page_of(item["id"]))


def _old_keys(desk: Desk) -> Iterator[Look]:
    listing = inventory_listings.credentials(desk)
    count = listing.joint({"lifetime": "static", "age": "old"})
    if count:
        said = f"{count:,} static credentials are 90 days old or older"
        to = url("/credentials", lifetime="static", age="old", sort="made")
        yield Look(50, "old keys", "warn", "", said, to)


def _partial(desk: Desk) -> Iterator[Look]:
    for source in inventory_listings.coverage(desk).coverage["sources"]:
        if source["problems"]:
            said = (
                f"{source['source']} could not be read whole: {source['problems'][0]}"
            )
            yield Look(45, "partial", "warn", "", said, "/agents")
