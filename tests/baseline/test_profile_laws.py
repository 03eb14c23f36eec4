"""Laws of profiles: the meet, the review, the document."""

from collections.abc import Iterable
from dataclasses import replace as with_
from random import Random

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from answerable.baseline.judgement import STRICT, judge
from answerable.baseline.learning import cold, learn
from answerable.baseline.profile_diff import Consequence, compare
from answerable.baseline.profile_document import decode, digest, encode
from answerable.baseline.profile_index import Held
from answerable.baseline.run_fold import fold
from answerable.baseline.tool_renames import new_names, rename_call, rename_tools
from answerable.model.baseline import (
    Accepted,
    Profile,
    Stance,
    Tables,
    Terms,
    Unexplained,
    Untrusted,
)
from answerable.model.behaviour import (
    NO_PROGRESS,
    Envelope,
    Observation,
    Progress,
    Run,
)
from answerable.model.decision import Effect
from answerable.model.errors import VerificationError
from tests.baseline import strategies
from tests.baseline.bank_scenario import (
    ALICE,
    LIST,
    NOW,
    PAY,
    SUBJECT,
    last,
    learned,
    step,
)

MANY = settings(max_examples=50, deadline=None)


def profile(random: Random, history: tuple[Run, ...]) -> Profile:
    """A profile of some of these runs, more or less."""
    terms = Terms(
        min_runs=random.choice((1, 1, 2)),
        min_persons=0,
        min_days=1,
        children=random.choice((2, 3)),
        climb_days=1,
        untrusted=Untrusted.LEARNED,
    )
    runs = [strategies.like(random, run) for run in history if random.random() < 0.8]
    found = learn(fold({}, runs), SUBJECT, terms, NOW)
    if random.random() < 0.1:
        found = cold(SUBJECT)
    stance = Stance(
        random.choice(tuple(Unexplained)),
        random.choice(tuple(Untrusted)),
        random.choice(tuple(Tables)),
        random.choice((Effect.ALLOW, Effect.ASK)),
        random.choice((Effect.ALLOW, Effect.ASK, Effect.DENY)),
    )
    accepted = [
        Accepted(
            PAY, "to", random.choice(("a@x.org", "rent")), random.choice(("", LIST))
        )
        for _ in range(random.randint(0, 2))
    ]
    runs_seen = random.choice((found.runs, found.runs and 50))
    return accepting(replace(found, stance=stance, runs=runs_seen), accepted)


def accepting(found: Profile, accepted: Iterable[Accepted]) -> Profile:
    """A profile whose owner accepted calls or values by name."""
    every = {*found.accepted, *accepted}
    order = sorted(every, key=lambda e: (e.tool, e.path, e.value, e.source))
    return replace(found, accepted=tuple(order))


Situation = tuple[Observation, Progress, Envelope]


def situation(random: Random, history: tuple[Run, ...]) -> Situation:
    """A call like one of these runs, after this and that."""
    calls = [c for run in history for c in strategies.like(random, run).calls]
    call = random.choice(calls) if calls else strategies.call(random, NOW, "c")
    progress = Progress(
        reads=frozenset(random.sample(strategies.TOOLS, random.randint(0, 4))),
        counts={call.tool: random.randint(0, 1)},
        sizes={call.tool: random.randint(0, 60)},
        untrusted=random.random() < 0.5,
        lately=random.randint(0, 4),
    )
    envelope = random.choice(
        (Envelope("n", "w", "r"), Envelope("n", "w", "r"), Envelope("n", "v", "r"))
    )
    return call, progress, envelope


def alike(seed: int) -> tuple[Profile, Profile, list[Situation]]:
    """Two profiles of much the same runs, and calls much like theirs."""
    random = Random(seed)  # noqa: S311 - guards nothing
    history = strategies.history(random.randint(0, 2**32))
    one, other = profile(random, history), profile(random, history)
    return one, other, [situation(random, history) for _ in range(12)]


@given(strategies.seeds)
@MANY
def test_whatever_a_new_profile_lets_through_stands_in_its_review(seed: int) -> None:
    old, new, situations = alike(seed)
    added = [
        each
        for each in compare(old, new)
        if each.consequence is not Consequence.REMOVED
    ]
    before, after = Held.of(old), Held.of(new)
    more = any(
        STRICT[judge(after, *each).effect] < STRICT[judge(before, *each).effect]
        for each in situations
    )
    assert added or not more
    assert compare(new, new) == []


@given(strategies.seeds)
@MANY
def test_each_kind_of_change_has_a_line_of_its_own(seed: int) -> None:
    old, new, situations = alike(seed)
    for name in ("orders", "bounds", "surroundings", "stance", "accepted", "edges"):
        changed = replace(old, **{name: getattr(new, name)})
        before, after = Held.of(old), Held.of(changed)
        more = any(
            STRICT[judge(after, *each).effect] < STRICT[judge(before, *each).effect]
            for each in situations
        )
        assert not more or any(
            each.consequence is not Consequence.REMOVED
            for each in compare(old, changed)
        )


@given(strategies.seeds)
@MANY
def test_a_document_is_read_as_it_was_written_and_in_no_other_spelling(
    seed: int,
) -> None:
    found = alike(seed)[0]
    data = encode(found)
    assert decode(data) == found
    for other in (
        b" " + data,
        data + b"\n",
        data.replace(b'"runs"', b'"ruins"'),
        data[:-1],
    ):
        if other != data:
            with pytest.raises(VerificationError):
                decode(other)


def test_a_document_names_its_schema_and_takes_no_other() -> None:
    data = encode(learned((step(LIST, [{"to": ALICE}]),)))
    assert b'"schema":"answerable/baseline/v1"' in data
    with pytest.raises(VerificationError, match="not a baseline"):
        decode(data.replace(b"baseline/v1", b"baseline/v2"))
    assert digest(data) != digest(data + b" ")


def test_the_gravest_stands_first_in_a_review() -> None:
    listed, paid = step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE, amount=5)
    old = learned((listed,))
    new = accepting(
        learned((listed, paid)), [Accepted(PAY, "to", "x", "bank/read_file")]
    )
    said = [each.consequence for each in compare(old, new)]
    assert said[0] is Consequence.UNTRUSTED_FLOW
    assert said == sorted(said, key=list(Consequence).index)
    reach = [e for e in compare(old, new) if e.consequence is Consequence.REACH]
    assert [(e.tool, e.text, e.tally.count) for e in reach] == [
        (PAY, "the tool", 4),
        (PAY, f"iban exact {ALICE}", 4),
    ]
    assert all(e.tally.example for e in reach)


def test_renamed_tools_are_held_as_before_under_a_rename_map() -> None:
    listed, paid = step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE, amount=5)
    before = learned((listed, paid))
    after = rename_tools(before, ((LIST, "bank/rows"), (PAY, "bank/send")))
    assert last(before, (listed, paid))[0].effect is Effect.ALLOW
    held = Held.of(after)
    call = last(before, (listed, paid))[1]
    (value,) = call.values
    moved = with_(
        call,
        tool="bank/send",
        values=(
            with_(
                value,
                origins=tuple(with_(o, source="bank/rows") for o in value.origins),
            ),
        ),
    )
    progress = with_(NO_PROGRESS, reads=frozenset({"bank/rows"}), untrusted=True)
    assert judge(held, moved, progress).effect is Effect.ALLOW
    assert judge(Held.of(before), moved, progress).effect is Effect.ASK
    assert judge(held, call, progress).effect is not Effect.ALLOW
    assert after.renames == ((LIST, "bank/rows"), (PAY, "bank/send"))
    names = new_names(after.renames)
    assert rename_call(call, names).tool == "bank/send"
    assert rename_call(call, names).values[0].origins[0].source == "bank/rows"
    changes = [(each.consequence, each.tool) for each in compare(before, after)]
    reach = Consequence.REACH
    assert changes == [(reach, "bank/rows"), (reach, "bank/send")]
    assert decode(encode(after)) == after


def test_a_tool_that_is_renamed_twice_has_its_newest_name() -> None:
    names = new_names(
        (("bank/a", "bank/b"), ("bank/c", "bank/d"), ("bank/b", "bank/e"))
    )
    assert (names["bank/a"], names["bank/c"]) == ("bank/e", "bank/d")
