"""The law of intent: what is said never opens anything.

Two messages ask for the same act of the same caller, and differ in what is said beside
it. Where nothing is said that may cost, all that comes of them is the same: what the
decision is asked, what it answers, what the server is shown, what a list shows. What
may cost makes it that, or less.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answerable.model.decision import DecisionEffect
from tests.gateway.http.message_builders import reply
from tests.laws.messages import NESTED, TOOLS, Side, act_of, http_of, lines_of, side_of
from tests.laws.people import WHO
from tests.laws.self_reported import TABLE, Where
from tests.laws.worlds import Outcome, World, keys_in

PAIRS_OF_A_WORLD = 100
SERVER_SAYS = {
    where: [name for row in TABLE if row.where is where for name in row.names]
    for where in (Where.ITEM, Where.RESULT)
}
# An error is a denial of its own kind.
_RANK = {
    DecisionEffect.ALLOW: 0,
    DecisionEffect.ASK: 1,
    DecisionEffect.DENY: 2,
    DecisionEffect.ERROR: 2,
}


@dataclass
class Tally:
    """What was tried.

    Attributes:
        pairs: How many pairs.
        went: Of them, those of which the act got to a server.
        said: How often each row of the table was varied.
        broken: What broke the law.
    """

    pairs: int = 0
    went: int = 0
    said: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def hold(pairs: int, seed: int, folder: Path, *, to_first: bool = False) -> Tally:
    """Try so many pairs.

    Args:
        pairs: How many.
        seed: Of all chance.
        folder: For the keys of issuers.
        to_first: Stop where the law is broken.
    """
    rng, tally = random.Random(seed), Tally()  # noqa: S311 - cases, not keys
    loop = asyncio.new_event_loop()
    keys_in(folder)
    try:
        while tally.pairs < pairs and not (to_first and tally.broken):
            world = World.make(rng, folder, loop)
            for _ in range(min(PAIRS_OF_A_WORLD, pairs - tally.pairs)):
                _pair(rng, world, tally)
    finally:
        loop.close()
    return tally


def _pair(rng: random.Random, world: World, tally: Tally) -> None:
    tally.pairs += 1
    act, who = act_of(rng), rng.choice(WHO)
    over_pipes = rng.random() < 0.3 and act.method not in ("GET", "DELETE")
    costly = rng.random() < 0.3
    one = side_of(rng, who, act, costly=False)
    other = side_of(rng, who, act, costly=costly)
    if over_pipes:
        before = world.stdio(lines_of(one, act))
        after = world.stdio(lines_of(other, act))
    else:
        lists = act.method == "tools/list"
        said = [_listed(rng, side) if lists else b"" for side in (one, other)]
        before = world.http(who, http_of(one, act, world.proofs), said[0])
        after = world.http(who, http_of(other, act, world.proofs), said[1])
        tally.said.update(SERVER_SAYS[Where.ITEM] if lists and before.went else ())
    tally.went += before.went
    tally.said.update(name for side in (one, other) for _, name in side.said)
    if one.spelling or other.spelling:
        tally.said["spelling"] += 1
    for wrong in broken(before, after, costly=costly):
        pipes = "stdio" if over_pipes else "http"
        tally.broken.append(
            f"{wrong}: {act} of {who.name} over {pipes}\n"
            f"  {_told(one)} -> {before}\n  {_told(other)} -> {after}"
        )


def _told(side: Side) -> str:
    return ", ".join(f"{at.name} {name}={v!r}" for (at, name), v in side.said.items())


def _listed(rng: random.Random, side: Side) -> bytes:
    """A server's list: the same tools, with other words about them."""
    says = SERVER_SAYS[Where.ITEM]
    tools: list[dict[str, Any]] = [
        {"name": name, "inputSchema": {"type": "object"}}
        | {each: rng.choice(NESTED) for each in rng.sample(says, rng.randint(0, 4))}
        for name in (*TOOLS, "rm")
    ]
    more = {
        each: rng.choice(NESTED) for each in rng.sample(SERVER_SAYS[Where.RESULT], 2)
    }
    answer = {
        "jsonrpc": "2.0",
        "id": side.of(Where.TOP).get("id", 1),
        "result": {"tools": tools, **more},
    }
    return reply(json.dumps(answer).encode())


def broken(before: Outcome, after: Outcome, *, costly: bool) -> Iterator[str]:
    """Say how a pair breaks the law."""
    if before.core == after.core:
        return
    if not costly:
        yield "what is said changes something"
    elif not _is_stricter(before, after):
        yield "what may cost opens something"


def _is_stricter(before: Outcome, after: Outcome) -> bool:
    """Say whether what came after is as strict as before, or stricter."""
    if not after.went:
        return True  # nothing happens: the server sees nothing, nor does the client
    if not before.went or before.shown != after.shown:
        return False
    ranks = [
        [_RANK[each.effect] for _, each in said.decided] for said in (before, after)
    ]
    more = all(one <= other for one, other in zip(*ranks, strict=True))
    return more and set(after.names) <= set(before.names)
