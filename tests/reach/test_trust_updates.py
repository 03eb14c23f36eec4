"""An edit of trust in a SAML provider or a service leads to what a cold run finds."""

from dataclasses import replace

import pytest

from answerable.model.policy import Statement
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk import incremental_update
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.mutation import apply_mutation
from tests.reach.strategies import MANAGED
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import IDP, TRUSTS, WAYS, updates_agree

OTHER_IDP = f"arn:aws:iam::{A}:saml-provider/other"


def federated(before: str, after: str) -> list[SightedFacts]:
    """A role trusts a SAML provider, then another; users may replace one, or edit it."""
    build = AccountBuilder()
    policies = {
        "ana": statement("s", action="iam:UpdateSAMLProvider", resource=IDP),
        "ben": statement("s", action="iam:Update*", resource="*"),
        "eve": statement("p", action="iam:PutRolePolicy", resource="*"),
        "kim": statement("o", action="iam:UpdateSAMLProvider", resource=OTHER_IDP),
    }
    for name, held in policies.items():
        build.identity(user(name))
        build.policy(user(name), "identity", held)
    build.identity(role("one"))
    build.policy(role("one"), "trust", TRUSTS[1])
    facts = build.facts()
    states = [
        tuple(
            replace(one, statements=(TRUSTS[1], *_federation(provider)))
            if one.id.endswith("trust")
            else one
            for one in facts.policies
        )
        for provider in (before, after)
    ]
    return [replace(facts, policies=policies) for policies in states]


def _federation(provider: str) -> tuple[Statement, ...]:
    action, principal = "sts:AssumeRoleWithSAML", {"Federated": provider}
    return (statement("f", action=action, principal=principal),) if provider else ()


def _takeovers_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_update, "list_trusted_saml_providers", lambda trust: frozenset()
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("", IDP), (IDP, ""), (IDP, OTHER_IDP), (OTHER_IDP, IDP)],
)
def test_who_may_replace_a_saml_provider_gains_its_role_without_a_cold_run(
    before: str, after: str
) -> None:
    states = federated(before, after)
    whole = get_graph_closure(IdentityGraph(compiled(states[0])))
    assert incremental_update.update_closure_incrementally(whole, *states) is not None
    updates_agree(states)
    with apply_mutation(_takeovers_stay), pytest.raises(AssertionError):
        updates_agree(states)


LAUNCH = ["lambda:CreateFunction", "lambda:InvokeFunction"]


def serving(before: str, after: str) -> list[SightedFacts]:
    """A role trusts a service, then another; users may pass it under conditions."""
    build = AccountBuilder()
    passes = {
        "ana": {
            "condition": {
                "StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}
            }
        },
        "ben": {"resource": role("two")},
        "eve": {"resource": role("o*")},
        "kim": {"condition": {"StringNotLike": {"iam:PassedToService": "ec2*"}}},
        "lea": {
            "condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        },
        "max": {"condition": {"Null": {"iam:PassedToService": "true"}}},
    }
    for name, narrowed in passes.items():
        build.identity(user(name))
        build.policy(
            user(name),
            "identity",
            statement("l", action=LAUNCH, resource="*"),
            statement("p", action="iam:PassRole", **{"resource": "*", **narrowed}),
        )
    build.policy(user("eve"), "identity", WAYS[1], policy=MANAGED)
    build.identity(role("one"))
    build.identity(role("two"))
    build.policy(role("one"), "trust", TRUSTS[1])
    build.policy(role("two"), "trust", TRUSTS[1])
    facts = build.facts()
    states = []
    for service in (before, after):
        trust = statement("t", action="sts:AssumeRole", principal={"Service": service})
        statements = (TRUSTS[1], trust) if service else (TRUSTS[1],)
        states.append(
            replace(
                facts,
                policies=tuple(
                    replace(one, statements=statements)
                    if one.id.endswith("trust") and "role/one" in one.id
                    else one
                    for one in facts.policies
                ),
            )
        )
    return states


def _no_one_passes_the_role(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_update, "_find_principals_passing_role", lambda graph, role: 0
    )


LAMBDA, EC2 = "lambda.amazonaws.com", "ec2.amazonaws.com"


@pytest.mark.parametrize(
    ("before", "after"), [("", LAMBDA), (LAMBDA, ""), (LAMBDA, EC2), (EC2, LAMBDA)]
)
def test_who_may_pass_a_role_gains_it_with_the_trust_in_a_service(
    before: str, after: str
) -> None:
    updates_agree(serving(before, after))
    with (
        apply_mutation(_no_one_passes_the_role),
        pytest.raises(AssertionError),
    ):
        updates_agree(serving(before, after))
