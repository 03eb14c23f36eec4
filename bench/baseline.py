"""Baseline: what a decision adds with 1 MB of results kept, and loading.

`python -m bench --only baseline`. Nothing is random but by the seed.
"""

import random
import statistics
import string
import time
from collections.abc import Callable, Iterator

from answerable.baseline.document import decode, digest, encode
from answerable.baseline.held import Held
from answerable.baseline.judge import judge
from answerable.baseline.window import Window
from answerable.model.baseline import (
    Edge,
    Level,
    Pattern,
    Profile,
    Subject,
    Tally,
)
from answerable.model.behaviour import EntityKind, Json, OriginKind, ToolFacts
from bench.figures import Figure, Line, Remark, at_most

ROUNDS, CALLS, QUICK_CALLS = 5, 2_000, 100
KEPT = 1 << 20  # bytes of results
EDGES = 10_000
PAY, MAIL, READ, LIST = "bank/pay", "mail/send", "bank/read", "bank/list"
FACTS = {
    PAY: ToolFacts(sensitive=("to",), summed=("amount",)),
    MAIL: ToolFacts(sensitive=("to[]",)),
    READ: ToolFacts(is_write=False),
    LIST: ToolFacts(is_write=False, trusted=("[].to",)),
}
_P50 = at_most(0.5, "<= 0.5 ms")
_P99 = at_most(5, "<= 5 ms")
_LOAD = at_most(50, "<= 50 ms")

Asked = tuple[str, dict[str, Json]]


class Scene:
    """A run with a full window, and calls to ask about."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        letters = string.ascii_lowercase
        self.words = [
            "".join(self.pick.choices(letters, k=self.pick.randint(3, 9)))
            for _ in range(5_000)
        ]
        self.payees = [self._iban() for _ in range(2_000)]
        self.window = Window(FACTS)
        self.window.begin("run", 0)
        size = 0
        while size < KEPT:
            size += self._read() if self.pick.random() < 0.5 else self._list()

    def _iban(self) -> str:
        return "DE" + "".join(self.pick.choices(string.digits, k=20))

    def some(self, count: int) -> str:
        return " ".join(self.pick.choices(self.words, k=count))

    def came(self, tool: str, arguments: dict[str, Json], result: Json) -> int:
        """Let a call go on; return the bytes that came back."""
        call = self.window.observe("run", "c", 1, tool, arguments)
        return self.window.returned("run", call, arguments, result).size

    def _read(self) -> int:
        return self.came(READ, {"path": self.some(1)}, self.some(3_000))

    def _list(self) -> int:
        rows: list[Json] = [
            {"to": self.pick.choice(self.payees), "subject": self.some(4)}
            for _ in range(200)
        ]
        return self.came(LIST, {}, rows)

    def hostile(self) -> None:
        """Fill the window with what a search for a payee finds half of everywhere."""
        self.came(READ, {"path": "x"}, "DE8937040044053201300" * (KEPT // 22))

    def read(self) -> Asked:
        return READ, {"path": self.some(1)}

    def pay(self) -> Asked:
        payee = self.pick.choice((self.pick.choice(self.payees), self._iban()))
        return PAY, {"to": payee, "amount": 5, "subject": self.some(3)}

    def mail(self, count: int = 3) -> Asked:
        to: list[Json] = [f"{self.some(1)}@corp.example" for _ in range(count)]
        return MAIL, {"to": to, "subject": self.some(3), "body": self.some(300)}

    def mixed(self) -> Asked:
        """Half reads, a third payments, and mails to three or to ten."""
        at = self.pick.random()
        if at < 0.5:
            return self.read()
        if at < 0.83:
            return self.pay()
        return self.mail(10 if at > 0.95 else 3)


def profile() -> Profile:
    """A profile of ten thousand edges."""
    edges = tuple(
        Edge(
            f"bank/t{n % 50}", f"a{n % 7}", OriginKind.EARLIER, f"bank/s{n % 40}",
            (("q", Pattern(EntityKind.NAME, Level.EXACT, f"value {n}")),),
            f"[].f{n % 11}", whole=True, trusted=True, sensitive=n % 3 == 0, firm=True,
            tally=Tally(5, 4, 3, 2, 1_700_000_000, 1_700_000_100, f"{n:032x}"),
        )
        for n in range(EDGES)
    )  # fmt: skip
    return Profile(Subject("role", "agent", "bank"), runs=50, edges=edges)


def latencies(
    scene: Scene, calls: int, asked: Callable[[], Asked]
) -> tuple[list[float], list[float]]:
    """Judge calls; milliseconds of each, from arguments to answer.

    Returns:
        By the clock, and of the processor: others on the machine lengthen the first.
    """
    held = Held.of(profile())
    drawn = [asked() for _ in range(calls)]
    clock, processor = [], []
    for tool, arguments in drawn:
        scene.came(READ, {"path": "x"}, scene.some(20))
        begin, worked = time.perf_counter(), time.thread_time()
        call = scene.window.observe("run", "x", 2, tool, arguments)
        judge(held, call, scene.window.progress("run", 2))
        processor.append((time.thread_time() - worked) * 1e3)
        clock.append((time.perf_counter() - begin) * 1e3)
    return sorted(clock), sorted(processor)


def loads(rounds: int) -> tuple[list[float], list[float]]:
    """Load a document: check its digest, read it, build what is looked up."""
    data = encode(profile())
    clock, processor = [], []
    for _ in range(rounds):
        begin, worked = time.perf_counter(), time.thread_time()
        digest(data)
        Held.of(decode(data))
        processor.append((time.thread_time() - worked) * 1e3)
        clock.append((time.perf_counter() - begin) * 1e3)
    return clock, processor


def figures(seed: int, command: str, *, quick: bool) -> Iterator[Line]:
    """Measure, each round with calls of its own."""
    command = f"{command} --only baseline"
    calls = QUICK_CALLS if quick else CALLS
    rounds = 1 if quick else ROUNDS
    scene = Scene(seed)
    yield Remark(
        f"A window of {KEPT:,} bytes of results in {len(scene.payees):,} payees and "
        f"{len(scene.words):,} words. Calls: half reads, a third payments, mails to "
        "three or ten recipients with 300 words. A decision is everything from parsed "
        "arguments to the answer: entities, origins, layers, explanation.",
        command,
    )
    yield from _decisions("decision", scene, calls, rounds, scene.mixed, command)
    yield from _decisions(
        "decision, a mail to 50", scene, calls // 10, rounds, lambda: scene.mail(50),
        command,
    )  # fmt: skip
    scene.hostile()
    yield from _decisions(
        "decision, after hostile text", scene, calls // 10, rounds, scene.mixed, command
    )
    named = f"baseline: load of {EDGES:,} edges"
    clock, processor = loads(2 * rounds + 1)
    yield Figure(named, "ms", tuple(clock), command, _LOAD)
    yield Figure(f"{named}, processor", "ms", tuple(processor), command, _LOAD)


def _decisions(
    what: str,
    scene: Scene,
    calls: int,
    rounds: int,
    asked: Callable[[], Asked],
    command: str,
) -> Iterator[Figure]:
    took = [latencies(scene, calls, asked) for _ in range(rounds)]
    goal = _P50 if what == "decision" else None
    for of, which in (("", 0), (", processor", 1)):
        half = tuple(statistics.median(each[which]) for each in took)
        last = tuple(each[which][int(len(each[which]) * 0.99)] for each in took)
        named = f"baseline: {what}, 1 MB kept"
        yield Figure(f"{named}, p50{of}", "ms", half, command, goal)
        yield Figure(f"{named}, p99{of}", "ms", last, command, _P99)
