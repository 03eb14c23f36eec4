"""After an edit the answers are those of a cold run."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.policy import Layer
from answerable.model.sighting import Facts
from answerable.reach.bits import update
from answerable.reach.bits.holders import Held
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.paths.graph import Graph
from tests.reach.build import A, Builder, role, statement, user
from tests.reach.planted import Plant, found, planted
from tests.reach.strategies import CALLS, GROUP, MANAGED, estates, permissions
from tests.reach.test_planes import compiled

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
generating = [Phase.explicit, Phase.reuse, Phase.generate]

READS = [
    statement("r", action="s3:GetObject", resource="arn:aws:s3:::red/*"),
    statement("w", action=["s3:Put*", "kms:Decrypt"], resource="*"),
    statement("n", effect="Deny", action="s3:*", resource="arn:aws:s3:::re?/?"),
    statement("k", action="kms:*", not_resource="arn:aws:s3:::${aws:username}"),
]


WAYS = [
    statement("p", action="iam:PutUserPolicy", resource="*"),
    statement("a", action="sts:AssumeRole", resource="*"),
]
some = st.lists(st.sampled_from([*READS, *READS, *WAYS]), min_size=1, max_size=2)


@st.composite
def accounts(draw: st.DrawFn) -> Facts:
    """Two users, one of them in a group, and a role that trusts the account."""
    build = Builder()
    for arn in (user("ana"), user("ben"), role("one")):
        build.identity(arn)
        build.policy(arn, "identity", *draw(some))
    shared = draw(some)
    build.policy(user("ana"), "identity", *shared, policy=MANAGED)
    build.policy(role("one"), "identity", *shared, policy=MANAGED)
    build.policy(
        user("ben"), "identity", *draw(some), policy=f"{GROUP}#inline/g", via=GROUP
    )
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": A})
    build.policy(role("one"), "trust", trust)
    return build.facts()


@st.composite
def edits(draw: st.DrawFn) -> list[Facts]:
    """Facts, and the same after an edit of some policy."""
    facts = draw(st.one_of(accounts(), accounts(), estates()))
    at = {a.policy: a.layer for a in facts.attachments}
    number = draw(st.integers(0, len(facts.policies) - 1))
    held = facts.policies[number]
    trust = at.get(held.id) is Layer.TRUST
    new = [] if trust else draw(st.one_of(some, st.lists(permissions(), max_size=2)))
    edited = replace(held, statements=tuple(new))
    policies = (*facts.policies[:number], edited, *facts.policies[number + 1 :])
    return [facts, replace(facts, policies=policies)]


def updates_agree(states: list[Facts]) -> None:
    """The law: step by step or cold, the answers are the same."""
    first, second = states
    whole = whole_of(Graph(compiled(first)))
    said(whole)
    warm = update.updated(whole, first, second)
    cold = whole_of(Graph(compiled(second)))
    assert warm.realm.nodes[: warm.size] == cold.realm.nodes[: cold.size]
    assert warm.rows.steps == cold.rows.steps
    assert said(warm) == said(cold)


def said(whole: Whole) -> list[object]:
    return [(whole.goal(*call), whole.who(*call)) for call in CALLS]


@settings(max_examples=120, suppress_health_check=slow, phases=generating)
@given(edits())
def test_an_edit_leads_to_what_a_cold_run_finds(
    states: list[Facts],
) -> None:
    updates_agree(states)


def _old_statements_stay(patch: pytest.MonkeyPatch) -> None:
    right = Held.changed

    def wrong(self: Held, lost: object, gained: object, size: int) -> Held:
        return right(self, type(lost)(), gained, size)  # type: ignore[arg-type]

    patch.setattr(Held, "changed", wrong)


def _every_edit_keeps_the_steps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(update, "_makes_steps", lambda clause: False)


@pytest.mark.parametrize("plant", [_old_statements_stay, _every_edit_keeps_the_steps])
def test_the_law_of_edits_finds(plant: Plant) -> None:
    with planted(plant):
        assert found(edits(), updates_agree, 250)
