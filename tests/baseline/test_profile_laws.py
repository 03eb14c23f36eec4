"""Laws of profiles: the meet, the review, the document."""

from collections.abc import Iterable
from dataclasses import replace as with_
from random import Random

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from answerable.baseline.call_judgement import STRICTNESS, judge_call
from answerable.baseline.profile_diff import ChangeConsequence, diff_profiles
from answerable.baseline.profile_document import (
    decode_profile,
    encode_profile,
    profile_document_digest,
)
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.profile_learning import build_empty_profile, build_profile
from answerable.baseline.tool_renames import rename_call, rename_tools, resolve_renames
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    AcceptedDeviation,
    BaselineProfile,
    LearningParameters,
    ReferenceTablePolicy,
    Strictness,
    UnexplainedEntityPolicy,
    UntrustedTextPolicy,
)
from answerable.model.behaviour import (
    NO_PROGRESS,
    AgentRun,
    CallObservation,
    RunEnvelope,
    RunProgress,
)
from answerable.model.decision import DecisionEffect
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


def profile(random: Random, history: tuple[AgentRun, ...]) -> BaselineProfile:
    """A profile of some of these runs, more or less."""
    terms = LearningParameters(
        min_runs=random.choice((1, 1, 2)),
        min_persons=0,
        min_days=1,
        children=random.choice((2, 3)),
        climb_days=1,
        untrusted=UntrustedTextPolicy.LEARNED,
    )
    runs = [strategies.like(random, run) for run in history if random.random() < 0.8]
    found = build_profile(merge_runs_into_state({}, runs), SUBJECT, terms, NOW)
    if random.random() < 0.1:
        found = build_empty_profile(SUBJECT)
    stance = Strictness(
        random.choice(tuple(UnexplainedEntityPolicy)),
        random.choice(tuple(UntrustedTextPolicy)),
        random.choice(tuple(ReferenceTablePolicy)),
        random.choice((DecisionEffect.ALLOW, DecisionEffect.ASK)),
        random.choice((DecisionEffect.ALLOW, DecisionEffect.ASK, DecisionEffect.DENY)),
    )
    accepted = [
        AcceptedDeviation(
            PAY, "to", random.choice(("a@x.org", "rent")), random.choice(("", LIST))
        )
        for _ in range(random.randint(0, 2))
    ]
    runs_seen = random.choice((found.runs, found.runs and 50))
    return accepting(replace(found, stance=stance, runs=runs_seen), accepted)


def accepting(
    found: BaselineProfile, accepted: Iterable[AcceptedDeviation]
) -> BaselineProfile:
    """A profile whose owner accepted calls or values by name."""
    every = {*found.accepted, *accepted}
    order = sorted(every, key=lambda e: (e.tool, e.path, e.value, e.source))
    return replace(found, accepted=tuple(order))


Situation = tuple[CallObservation, RunProgress, RunEnvelope]


def situation(random: Random, history: tuple[AgentRun, ...]) -> Situation:
    """A call like one of these runs, after this and that."""
    calls = [c for run in history for c in strategies.like(random, run).calls]
    call = random.choice(calls) if calls else strategies.call(random, NOW, "c")
    progress = RunProgress(
        reads=frozenset(random.sample(strategies.TOOLS, random.randint(0, 4))),
        counts={call.tool: random.randint(0, 1)},
        sizes={call.tool: random.randint(0, 60)},
        untrusted=random.random() < 0.5,
        lately=random.randint(0, 4),
    )
    envelope = random.choice(
        (
            RunEnvelope("n", "w", "r"),
            RunEnvelope("n", "w", "r"),
            RunEnvelope("n", "v", "r"),
        )
    )
    return call, progress, envelope


def alike(seed: int) -> tuple[BaselineProfile, BaselineProfile, list[Situation]]:
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
        for each in diff_profiles(old, new)
        if each.consequence is not ChangeConsequence.REMOVED
    ]
    before, after = ProfileIndex.build(old), ProfileIndex.build(new)
    more = any(
        STRICTNESS[judge_call(after, *each).effect]
        < STRICTNESS[judge_call(before, *each).effect]
        for each in situations
    )
    assert added or not more
    assert diff_profiles(new, new) == []


@given(strategies.seeds)
@MANY
def test_each_kind_of_change_has_a_line_of_its_own(seed: int) -> None:
    old, new, situations = alike(seed)
    for name in ("orders", "bounds", "surroundings", "stance", "accepted", "edges"):
        changed = replace(old, **{name: getattr(new, name)})
        before, after = ProfileIndex.build(old), ProfileIndex.build(changed)
        more = any(
            STRICTNESS[judge_call(after, *each).effect]
            < STRICTNESS[judge_call(before, *each).effect]
            for each in situations
        )
        assert not more or any(
            each.consequence is not ChangeConsequence.REMOVED
            for each in diff_profiles(old, changed)
        )


@given(strategies.seeds)
@MANY
def test_a_document_is_read_as_it_was_written_and_in_no_other_spelling(
    seed: int,
) -> None:
    found = alike(seed)[0]
    data = encode_profile(found)
    assert decode_profile(data) == found
    for other in (
        b" " + data,
        data + b"\n",
        data.replace(b'"runs"', b'"ruins"'),
        data[:-1],
    ):
        if other != data:
            with pytest.raises(VerificationError):
                decode_profile(other)


def test_a_document_names_its_schema_and_takes_no_other() -> None:
    data = encode_profile(learned((step(LIST, [{"to": ALICE}]),)))
    assert b'"schema":"answerable/baseline/v1"' in data
    with pytest.raises(VerificationError, match="not a baseline"):
        decode_profile(data.replace(b"baseline/v1", b"baseline/v2"))
    assert profile_document_digest(data) != profile_document_digest(data + b" ")


def test_the_gravest_stands_first_in_a_review() -> None:
    listed, paid = step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE, amount=5)
    old = learned((listed,))
    new = accepting(
        learned((listed, paid)), [AcceptedDeviation(PAY, "to", "x", "bank/read_file")]
    )
    said = [each.consequence for each in diff_profiles(old, new)]
    assert said[0] is ChangeConsequence.UNTRUSTED_FLOW
    assert said == sorted(said, key=list(ChangeConsequence).index)
    reach = [
        e for e in diff_profiles(old, new) if e.consequence is ChangeConsequence.REACH
    ]
    assert [(e.tool, e.text, e.tally.count) for e in reach] == [
        (PAY, "the tool", 4),
        (PAY, f"iban exact {ALICE}", 4),
    ]
    assert all(e.tally.example for e in reach)


def test_renamed_tools_are_held_as_before_under_a_rename_map() -> None:
    listed, paid = step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE, amount=5)
    before = learned((listed, paid))
    after = rename_tools(before, ((LIST, "bank/rows"), (PAY, "bank/send")))
    assert last(before, (listed, paid))[0].effect is DecisionEffect.ALLOW
    held = ProfileIndex.build(after)
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
    assert judge_call(held, moved, progress).effect is DecisionEffect.ALLOW
    assert (
        judge_call(ProfileIndex.build(before), moved, progress).effect
        is DecisionEffect.ASK
    )
    assert judge_call(held, call, progress).effect is not DecisionEffect.ALLOW
    assert after.renames == ((LIST, "bank/rows"), (PAY, "bank/send"))
    names = resolve_renames(after.renames)
    assert rename_call(call, names).tool == "bank/send"
    assert rename_call(call, names).values[0].origins[0].source == "bank/rows"
    changes = [(each.consequence, each.tool) for each in diff_profiles(before, after)]
    reach = ChangeConsequence.REACH
    assert changes == [(reach, "bank/rows"), (reach, "bank/send")]
    assert decode_profile(encode_profile(after)) == after


def test_a_tool_that_is_renamed_twice_has_its_newest_name() -> None:
    names = resolve_renames(
        (("bank/a", "bank/b"), ("bank/c", "bank/d"), ("bank/b", "bank/e"))
    )
    assert (names["bank/a"], names["bank/c"]) == ("bank/e", "bank/d")
