"""What to look at first: what of the inventory needs a person, the gravest in front."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from answerable.model.document import AgentItem
from answerable.web.desk import Desk
from answerable.web.filters import page_of, url
from answerable.web.pages import shapes, subjects

MOST = 24
_EACH = 5
_ASKED = 12  # keys of which reach is worked out
_NOBODY = ("none", "owner-left", "ambiguous", "team-only")


@dataclass(frozen=True, slots=True)
class Look:
    """Something to look at.

    Attributes:
        rank: The gravest has the least.
        word: What kind of thing it is.
        grave: How it is drawn: `bad`, `warn` or `plain`.
        subject: The id it is about, empty for none.
        said: What is the matter.
        to: Link.
        at: When it was, RFC 3339; empty for a state.
    """

    rank: int
    word: str
    grave: str
    subject: str
    said: str
    to: str
    at: str = ""


def of_inventory(desk: Desk) -> Sequence[Look]:
    """Give what the inventory tells, as it stands; kept with it."""
    return desk.kept("first", lambda _: tuple(_looks(desk)))


def _looks(desk: Desk) -> Iterator[Look]:
    yield from islice(_reaching_keys(desk), _EACH)
    yield from islice(_unowned(desk), _EACH)
    yield from islice(_left(desk), _EACH)
    yield from islice(_unattended(desk), _EACH)
    yield from islice(_old_keys(desk), _EACH)
    yield from _partial(desk)


def _unowned(desk: Desk) -> Iterator[Look]:
    found = [a for a in shapes.agents(desk).items if a["owner"]["state"] in _NOBODY]

    def gravity(item: AgentItem) -> tuple[bool, int]:
        return not item["unattended"], -len(item["identities"])

    for item in sorted(found, key=gravity):
        state = item["owner"]["state"]
        said = {
            "none": "nobody answers for this agent",
            "owner-left": "whoever answered for this agent has left",
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
    for item in shapes.people(desk).items:
        if not item["alive"] and item["owns"]:
            said = f"has left, and is the owner of {len(item['owns'])}"
            yield Look(35, "owner left", "bad", item["id"], said, page_of(item["id"]))


def _unattended(desk: Desk) -> Iterator[Look]:
    owners = shapes.judged(desk).owners
    for tool in shapes.tools(desk).items:
        if not (tool["unattended"] and tool["enabled"]):
            continue
        state = shapes.owner(owners, tool["agent"])["state"]
        if state != "attested":
            said = f"{tool['id']} runs unattended; the owner of its agent is {state}"
            to = url("/tools", q=tool["id"], runs="unattended")
            yield Look(40, "unattended", "warn", tool["agent"], said, to)


def _reaching_keys(desk: Desk) -> Iterator[Look]:
    """Tell of keys that last, lie somewhere, and prove somebody who may do anything."""
    keys = [
        item
        for item in shapes.credentials(desk).items
        if item["lifetime"] == "static" and item["identity"] and item["places"]
    ]
    keys.sort(key=lambda item: item["created_at"] or "9")
    for item in keys[:_ASKED]:
        reached = subjects.reached(desk, item["identity"] or "")
        if reached.rows and reached.rows[0]["admin"]:
            verdict = reached.rows[0]["verdict"]
            said = (
                f"a static key in {item['places'][0]['place']} reaches everything "
                f"({verdict})"
            )
            yield Look(20, "static key", "bad", item["id"], said, page_of(item["id"]))


def _old_keys(desk: Desk) -> Iterator[Look]:
    listing = shapes.credentials(desk)
    count = listing.joint({"lifetime": "static", "age": "old"})
    if count:
        said = f"{count:,} static credentials are 90 days old or older"
        to = url("/credentials", lifetime="static", age="old", sort="made")
        yield Look(50, "old keys", "warn", "", said, to)


def _partial(desk: Desk) -> Iterator[Look]:
    for source in shapes.coverage(desk).coverage["sources"]:
        if source["problems"]:
            said = (
                f"{source['source']} could not be read whole: {source['problems'][0]}"
            )
            yield Look(45, "partial", "warn", "", said, "/agents")
