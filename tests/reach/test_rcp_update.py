"""After an edit of a resource control policy the answers are those of a cold run."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.policy import Policy, PolicyLayer, Statement
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk import incremental_update, policy_recompilation
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user
from tests.reach.mutation import Plant, apply_mutation, is_found
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import updates_agree

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
generating = [Phase.explicit, Phase.reuse, Phase.generate]
ROOT, UNIT = "r-1", "ou-1"
FAR = f"arn:aws:iam::{B}:role/far"


def _deny(sid: str, action: str, operator: str = "", *values: str) -> Statement:
    key = "aws:PrincipalAccount" if "Account" in sid else "aws:PrincipalTag/team"
    condition = {operator: {key: list(values)}} if operator else None
    return statement(
        sid,
        effect="Deny",
        action=action,
        resource="*",
        principal={"AWS": "*"},
        condition=condition,
    )


DENIES = [
    _deny("all", "sts:AssumeRole"),
    _deny("otherAccount", "sts:AssumeRole", "StringNotEquals", A),
    _deny("ownAccount", "*", "StringEquals", A),
    _deny("red", "sts:*", "StringEquals", "red"),
    _deny("notRed", "sts:AssumeRole", "StringNotEquals", "red"),
    _deny("quiet", "s3:GetObject"),
    statement("allow", action="*", resource="*", principal={"AWS": "*"}),
    statement(
        "one",
        effect="Deny",
        action="sts:AssumeRole",
        resource=role("one"),
        principal={"AWS": "*"},
    ),
]
denies = st.lists(st.sampled_from(DENIES), max_size=2)
OWN = [
    statement("a", action="sts:AssumeRole", resource="*"),
    statement("u", action="iam:UpdateAssumeRolePolicy", resource="*"),
    statement("m", action="iam:*", resource="*"),
    statement("e", action="*", resource="*"),
    statement("l", action=["iam:PassRole", "lambda:*"], resource="*"),
]
own = st.lists(st.sampled_from(OWN), min_size=1, max_size=2)
TRUSTS = [
    statement("t", action="sts:AssumeRole", principal={"AWS": [A, B]}),
    statement("n", action="sts:AssumeRole", principal={"AWS": user("ben")}),
    statement(
        "s", action="sts:AssumeRole", principal={"Service": "lambda.amazonaws.com"}
    ),
]
trusts = st.lists(st.sampled_from(TRUSTS), max_size=2)
Some = st.SearchStrategy[list[Statement]]


@st.composite
def organisations(
    draw: st.DrawFn, own: Some = own, trusts: Some = trusts
) -> SightedFacts:
    """Two accounts under RCPs at several levels; roles that either may assume."""
    build = AccountBuilder()
    tags = [(), (("team", "red"),), (("team", "blue"),)]
    for arn in (user("ana"), user("ben"), role("one"), FAR):
        build.identity(arn, tags=draw(st.sampled_from(tags)))
        build.policy(arn, "identity", *draw(own))
    for arn in (role("one"), FAR):
        build.policy(arn, "trust", *draw(trusts))
    if draw(st.booleans()):
        build.policy(user("ben"), "boundary", *draw(own))
    build.organization(A, "o-1", [ROOT, UNIT])
    build.organization(B, "o-1", [ROOT])
    for target in draw(st.sets(st.sampled_from([ROOT, UNIT, A, B]), min_size=1)):
        build.policy(target, "rcp", *draw(denies))
    return build.facts()


@st.composite
def edits(
    draw: st.DrawFn, before: st.SearchStrategy[SightedFacts] | None = None
) -> list[SightedFacts]:
    """Facts, and the same after an edit of a policy that may have stood empty."""
    facts = draw(organisations() if before is None else before)
    layers = {a.policy: a.layer for a in facts.attachments}
    drawn = {
        PolicyLayer.RCP: denies,
        PolicyLayer.TRUST: trusts,
        PolicyLayer.BOUNDARY: own,
    }
    edited = [p for p in facts.policies if layers[p.id] in drawn]
    rcps = [p for p in edited if layers[p.id] is PolicyLayer.RCP]
    held = draw(st.one_of(st.sampled_from(rcps), st.sampled_from(edited)))
    new = replace(held, statements=tuple(draw(drawn[layers[held.id]])))

    def put(one: Policy) -> Policy:
        return new if one is held else one

    return [facts, replace(facts, policies=tuple(map(put, facts.policies)))]


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits())
def test_an_edited_rcp_leads_to_what_a_cold_run_finds(
    states: list[SightedFacts],
) -> None:
    updates_agree(states)


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(edits())
def test_an_edited_rcp_needs_no_cold_run(states: list[SightedFacts]) -> None:
    layers = {a.policy: a.layer for a in states[0].attachments}
    old, new = states[0].policies, states[1].policies
    layer = [layers[a.id] for a, b in zip(old, new, strict=True) if a is not b]

    def cold(*_: object) -> None:
        raise AssertionError("found again, all of it")

    if layer == [PolicyLayer.RCP]:
        with pytest.MonkeyPatch.context() as patch:
            whole = incremental_update._recompute_closure(
                compiled(states[0]), states[0]
            )
            patch.setattr(incremental_update, "_recompute_closure", cold)
            incremental_update.update_closure_for_edit(whole, *states)


def _nobody_is_spoken_of(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_update, "find_principals_affected_by_denies", lambda *_: 0
    )


def _services_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_update._IncrementalUpdate,
        "_list_service_trusting_roles",
        lambda *_: iter(()),
    )


def _what_was_empty_stays(patch: pytest.MonkeyPatch) -> None:
    right = policy_recompilation.Recompilation._replace_attached_statements

    def wrong(
        self: policy_recompilation.Recompilation,
        grants: tuple[object, ...],
        *at: object,
    ) -> object:
        return right(self, grants, *at) if grants else ()  # type: ignore[arg-type]

    patch.setattr(
        policy_recompilation.Recompilation, "_replace_attached_statements", wrong
    )


def _trusts_stay_behind_old_fences(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        policy_recompilation,
        "_apply_rcps_to_trust_policies",
        lambda estate, fences: dict(estate.trusts),
    )


# Each with the organisations in which it shows soon.
PLANTS = {
    _nobody_is_spoken_of: organisations(),
    _services_stay: organisations(st.just([OWN[4]]), st.just([TRUSTS[2]])),
    _trusts_stay_behind_old_fences: organisations(
        st.just([OWN[0]]), st.just([TRUSTS[0]])
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_law_of_edited_rcps_finds(plant: Plant) -> None:
    with apply_mutation(plant):
        assert is_found(edits(PLANTS[plant]), updates_agree, 300)


def filled() -> list[SightedFacts]:
    """A trust that said nothing comes to let its account in."""
    build = AccountBuilder()
    for arn in (user("ana"), role("one")):
        build.identity(arn)
    build.policy(user("ana"), "identity", OWN[0])
    build.policy(role("one"), "trust")
    before = build.facts()
    policies = (
        replace(one, statements=(TRUSTS[0],)) if one.id.endswith("trust") else one
        for one in before.policies
    )
    return [before, replace(before, policies=tuple(policies))]


def test_a_trust_that_said_nothing_is_filled() -> None:
    updates_agree(filled())
    with apply_mutation(_what_was_empty_stays), pytest.raises(AssertionError):
        updates_agree(filled())
