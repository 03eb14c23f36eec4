"""Histories for Hypothesis: few names, so that everything meets everything."""

from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from answerable.model.behaviour import (
    AgentRun,
    ArgumentValue,
    CallObservation,
    EntityKind,
    OriginKind,
    RunEnvelope,
    ValueOrigin,
)
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import DAY, NOW, SECOND, SUBJECT

TOOLS = ("bank/pay", "bank/list", "bank/note", "mail/read")
TEXTS = {
    EntityKind.EMAIL: [f"{n}@{at}" for n in "abcdefg" for at in ("x.org", "y.org")],
    EntityKind.PATH: [f"/srv/{d}/{f}" for d in "ab" for f in ("a", "b", "d1", "d2")],
    EntityKind.NAME: [
        *(f"bill {number}" for number in range(6)),
        *("bills of ana", "bills of bob", "billing", "bill", "rent"),
    ],
}
SELECTORS = (
    (),
    *[(("q", f"=name:bill {n}"),) for n in range(6)],
    (("q", "request=name:rent"),),
)


def origin(random: Random) -> ValueOrigin:
    kind = random.choice(
        (OriginKind.REQUEST, OriginKind.TABLE, *[OriginKind.EARLIER] * 3)
    )
    if kind is not OriginKind.EARLIER:
        return ValueOrigin(kind, "payees" if kind is OriginKind.TABLE else "")
    return ValueOrigin(
        kind,
        random.choice(TOOLS),
        random.choice(SELECTORS),
        random.choice(("", "[].to")),
        whole=random.random() < 0.5,
        trusted=random.random() < 0.5,
    )


def value(random: Random) -> ArgumentValue:
    kind = random.choice(sorted(TEXTS))
    return ArgumentValue(
        path=random.choice(("to", "path")),
        kind=kind,
        text=random.choice(TEXTS[kind]),
        sensitive=random.random() < 0.4,
        origins=tuple(origin(random) for _ in range(random.randint(0, 2))),
        tabled=random.random() < 0.3,
    )


def call(random: Random, at: int, name: str) -> CallObservation:
    tool = random.choice(TOOLS)
    return CallObservation(
        id=name,
        at=at,
        tool=tool,
        definition=random.choice(("", "", "d1")),
        is_write=tool in ("bank/pay", "bank/note"),
        values=tuple(value(random) for _ in range(random.randint(0, 3))),
        numbers=random.choice(((), (("amount", 5_000_000),))),
        digest=random.choice(("aa", "bb", "cc")),
        size=random.randint(0, 99),
        records=random.randint(0, 9),
        untrusted=random.random() < 0.5,
        after=tuple(
            sorted({random.choice(TOOLS) for _ in range(random.randint(0, 2))})
        ),
    )


def run(random: Random, name: str) -> AgentRun:
    started = NOW - random.randint(0, 6) * DAY - random.randint(0, 3) * 1_800 * SECOND
    return AgentRun(
        id=name,
        agent=SUBJECT.agent,
        identity=SUBJECT.identity,
        person=random.choice(("", "person:a", "person:b")),
        started=started,
        written_by=WrittenBy.MEDIATOR,
        envelope=random.choice((RunEnvelope(), RunEnvelope("n", "w", "r"))),
        calls=tuple(
            call(random, started + n * SECOND, f"{name}.{n}")
            for n in range(random.randint(0, 4))
        ),
        denied=random.random() < 0.1,
        asked=random.random() < 0.1,
    )


def history(seed: int) -> tuple[AgentRun, ...]:
    random = Random(seed)  # noqa: S311 - guards nothing
    return tuple(run(random, f"r{number}") for number in range(random.randint(0, 8)))


def like(random: Random, run: AgentRun) -> AgentRun:
    """A run that differs in a flag here and there."""

    def flipped(here: ArgumentValue) -> ArgumentValue:
        origins = tuple(
            replace(
                each,
                trusted=each.trusted ^ (random.random() < 0.2),
                whole=each.whole ^ (random.random() < 0.2),
            )
            for each in here.origins
            if random.random() < 0.9
        )
        sensitive = here.sensitive ^ (random.random() < 0.2)
        return replace(here, sensitive=sensitive, origins=origins)

    calls = [
        replace(each, values=tuple(flipped(value) for value in each.values))
        for each in run.calls
        if random.random() < 0.9
    ]
    return replace(run, calls=tuple(calls))


# Drawing each field by itself takes twenty times as long, for no more that meets.
seeds = st.integers(0, 2**32)
histories = seeds.map(history)
