"""A narrowed session is within its parent and its policy; planted mistakes are found."""

import pytest

from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation import policy_layers
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import TRUE
from tests.laws import narrowed_sessions
from tests.laws.narrowed_sessions import SessionLawError, run

CASES, SEED = 30, 20261130  # enough for each planted mistake


@pytest.mark.parametrize(
    "cases", [CASES, pytest.param(150, marks=pytest.mark.world, id="many")]
)
def test_the_law_holds_and_every_way_is_drawn(cases: int) -> None:
    found = run(cases, SEED)
    assert found.cases == cases
    for way in (
        "reached by role chaining",
        "calls of a next role",
        "reached by a grant to the session",
        "taken from the parent",
        "kept",
    ):
        assert found.compared[way] > 10, way


def ignore_session_policy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CompiledPrincipal, "with_session_policy", lambda self, _: self)


def limit_grants_to_the_session(patch: pytest.MonkeyPatch) -> None:
    """A grant to the session itself counts as if the policy bound it."""
    combine = policy_layers.combine_identity_and_resource_policies

    def combine_limited(allowed, limit, result):  # type: ignore[no-untyped-def]
        return policy_layers.conjoin(combine(allowed, TRUE, result), limit)

    patch.setattr(
        policy_layers, "combine_identity_and_resource_policies", combine_limited
    )


def limit_the_next_roles(patch: pytest.MonkeyPatch) -> None:
    """The session policy counts for the roles that the session chains into, too."""
    build = IdentityGraph._build_node_principal

    def build_limited(self, node):  # type: ignore[no-untyped-def]
        found = build(self, node)
        session = self.accounts.session
        return found.with_session_policy(session) if session else found

    patch.setattr(IdentityGraph, "_build_node_principal", build_limited)


def forget_the_next_roles(patch: pytest.MonkeyPatch) -> None:
    """The whole reach of a session ends at the session."""
    evaluate = narrowed_sessions._evaluate

    def evaluate_directly(opened, call, *, direct):  # type: ignore[no-untyped-def]
        return evaluate(opened, call, direct=True)

    patch.setattr(narrowed_sessions, "_evaluate", evaluate_directly)


def ignore_denials(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_layers, "match_denies", lambda *_: [])


def export_role_chaining(patch: pytest.MonkeyPatch) -> None:
    """An export that nobody signed contains AssumeRole."""
    export = narrowed_sessions.export_profiles
    patch.setattr(
        narrowed_sessions,
        "export_profiles",
        lambda profiles, target: export(profiles, target, is_signed=True),
    )


def widen_exported_resources(patch: pytest.MonkeyPatch) -> None:
    """An export names the folder of an object instead of the object."""
    parse = narrowed_sessions.parse_policy
    patch.setattr(
        narrowed_sessions,
        "parse_policy",
        lambda text, layer, **more: parse(text.replace("in/a", "in/*"), layer, **more),
    )


@pytest.mark.parametrize(
    "mistake",
    [
        ignore_session_policy,
        ignore_denials,
        limit_grants_to_the_session,
        export_role_chaining,
        widen_exported_resources,
        limit_the_next_roles,
        forget_the_next_roles,
    ],
)
def test_a_planted_mistake_breaks_the_law(mistake, monkeypatch) -> None:
    mistake(monkeypatch)
    with pytest.raises(SessionLawError):
        run(CASES, SEED)
