"""The engine and the reference agree on random estates; planted mistakes are found."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.gcp import (
    access_evaluation,
    condition_context,
    estate_access,
    limit_changes,
    limit_lifting,
    principals,
    step_edges,
)
from answerable.reach.gcp.answer_building import GoogleAccess
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.gcp.evaluator import GcpEvaluator
from answerable.reach.gcp.principals import PrincipalIndex
from answerable.reach.gcp.resource_tree import ResourceTree
from answerable.reach.gcp.step_rules import STEP_RULES, TOKEN_RULES
from answerable.reach.platform import PageBounds, Question
from tests.reach.gcp.estates import ask, build_estate_access
from tests.reach.gcp.random_estates import ACCOUNTS, CALLS, USERS, build_row, seeded
from tests.reference.gcp import iam as reference
from tests.reference.gcp import limits

SEEDS = range(60)


def list_disagreements(row: dict[str, Any], *, known: bool) -> list[str]:
    """Name each question that engine and reference answer differently."""
    access = build_estate_access(row)
    found = []
    for principal in (*USERS, *ACCOUNTS):
        for permission, resource in CALLS:
            words = principal, permission, resource
            got = ask(access, words, direct=True).verdict
            answers, facts = reference.list_answers(row, words)
            wrong = {"always": False, "never": True}.get(got.value)
            if (wrong is None and not facts) or wrong in answers:
                found.append(f"{words}: {got}, {answers}")
            if known:
                got = ask(access, words, direct=False).verdict
                if (got == "always") != limits.may_after_steps(row, words):
                    found.append(f"{words} after steps: {got}")
    return found


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_every_answer_about_a_known_estate_is_the_references(
    rng: random.Random,
) -> None:
    assert list_disagreements(build_row(rng, known=True), known=True) == []


def list_wrong_denials(row: dict[str, Any]) -> list[str]:
    """Name each question whose answer is `never` in one of engine and reference alone."""
    access = build_estate_access(row)
    return [
        f"{words}: {got}"
        for principal in (*USERS, *ACCOUNTS)
        for words in ((principal, *call) for call in CALLS)
        if (got := ask(access, words, direct=False).verdict)
        if (got == "never") == limits.may_at_best(row, words)
    ]


@given(st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_never_is_said_if_no_limit_can_be_lifted_alone(rng: random.Random) -> None:
    assert list_wrong_denials(build_row(rng, known=True, limited=True)) == []


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_certain_answer_holds_in_every_world(rng: random.Random) -> None:
    assert list_disagreements(build_row(rng, known=False), known=False) == []


@given(st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_a_missing_kind_never_makes_a_denial(rng: random.Random) -> None:
    row = build_row(rng, known=True)
    whole = build_estate_access(row)
    parts = {
        "groups": {**row, "groups": {}},
        "roles": {**row, "roles": {}},
        "policies": {
            **row,
            "bind": [each for each in row["bind"] if each[0] != "organizations/1"],
            "no_policy": ["organizations/1"],
        },
    }
    for principal in (*USERS, *ACCOUNTS):
        for call in CALLS:
            words = principal, *call
            if ask(whole, words, direct=True).verdict != "always":
                continue
            for name, part in parts.items():
                got = ask(build_estate_access(part), words, direct=True)
                assert got.verdict != "never", (name, words)


def test_callers_are_those_who_can() -> None:
    for seed in range(12):
        row = build_row(seeded(seed), known=True)
        access = build_estate_access(row)
        for permission, resource in CALLS:
            evaluator = GcpEvaluator(access)
            full = evaluator.normalise_resource(resource)
            question = Question(1, "", permission, full)
            listed = evaluator.list_callers(question, PageBounds()).answers
            named = {each.item["subject"] for each in listed}
            for principal in (*USERS, *ACCOUNTS):
                can = ask(access, (principal, permission, resource), direct=False)
                expected = can.verdict in ("always", "only-if")
                # A set such as `allAuthenticatedUsers` stands for its members.
                listed_too = principal in named or "allAuthenticatedUsers" in named
                known = principal in access.index.list_identities()
                call = seed, principal, permission, resource
                assert principal not in named or expected, call
                assert listed_too or not (expected and known), call


def ignore_exceptions(self: Any, policy: Any, *call: str) -> Any:
    for number, rule in enumerate(policy.rules or (), 1):
        if access_evaluation.denies_permission(rule, call[1]):
            named = self._match_any(call[0], rule.principals)
            if named != FALSE:
                yield number, named


def deny_nothing(self: Any, *call: str) -> Any:
    return FALSE, []


def name_only(rule: Any, permission: str) -> bool:
    return access_evaluation._names_permission(rule.permissions, permission)


def intersect_boundaries(self: Any, principal: str, permission: str, place: str) -> Any:
    formula = TRUE
    for binding in self.index.boundary_bindings:
        if self.index.match(principal, binding.principal_set) != FALSE:
            policy = self.index.boundaries[binding.policy]
            covered = self._does_boundary_cover(
                policy, binding.policy, permission, place
            )
            formula = access_evaluation.conjoin(formula, covered)
    return formula, []


def change_everything(lifted: Any, principal: str, *, with_gaps: bool) -> Any:
    for change in limit_changes.list_common_changes(lifted.access.index):
        yield change, GoogleAccess(TRUE)


def take_own_place(self: Any, name: str) -> tuple[str, ...]:
    return (name,)


def take_direct_members(groups: Any, start: Any) -> set[str]:
    return {group for each in start for group in groups.get(each, ())}


MISTAKES: list[tuple[object, str, object]] = [
    (access_evaluation.AccessEvaluation, "_iterate_denials", ignore_exceptions),
    (access_evaluation.AccessEvaluation, "_evaluate_deny", deny_nothing),
    (access_evaluation, "denies_permission", name_only),
    (access_evaluation.AccessEvaluation, "_evaluate_boundaries", intersect_boundaries),
    (access_evaluation, "evaluate_resource_condition", lambda *_: TRUE),
    (access_evaluation, "evaluate_principal_condition", lambda *_: TRUE),
    (condition_context, "_find_tag", lambda *_: False),
    (ResourceTree, "get_chain", take_own_place),
    (principals, "close_groups", take_direct_members),
    (PrincipalIndex, "_may_join", lambda *_: False),
    (GoogleCloudIndex, "has_policies_of", lambda *_: False),
    (
        GoogleCloudIndex,
        "may_include",
        lambda self, role, name: name in (self.roles.get_permissions(role) or ()),
    ),
    (step_edges, "STEP_RULES", STEP_RULES[1:]),
    (step_edges, "STEP_RULES", STEP_RULES[5:]),
    (step_edges, "TOKEN_RULES", TOKEN_RULES[:1]),
    (step_edges.StepLister, "_iterate_delegations", lambda *_: ()),
    (step_edges.StepLister, "_are_held", lambda *_: False),
    (estate_access.EstateAccess, "_list_role_updates", lambda *_: ()),
    (estate_access, "get_policy_permission", lambda *_: ""),
    (estate_access.EstateAccess, "list_lifted", lambda *_: ()),
    (limit_lifting, "_list_changes", change_everything),
    (
        access_evaluation.AccessEvaluation,
        "evaluate_limits",
        lambda *_: (TRUE, ()),
    ),
]


@pytest.mark.parametrize(
    ("owner", "name", "mistake"),
    MISTAKES,
    ids=[f"{n}-{each[1]}" for n, each in enumerate(MISTAKES)],
)
def test_a_planted_mistake_is_found(
    owner: object, name: str, mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mistake)
    assert any(
        list_disagreements(build_row(seeded(seed), known=True), known=True)
        or list_wrong_denials(build_row(seeded(seed), known=True, limited=True))
        or list_disagreements(build_row(seeded(seed), known=False), known=False)
        for seed in SEEDS
    )
