"""The engine and the reference agree on random organizations; mistakes are found."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.reach.condition_formula import TRUE
from answerable.reach.github import (
    branch_write,
    organization_index,
    ref_patterns,
    repository_access,
    role_grants,
    workflow_runs,
)
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.decision import AccessDecision
from answerable.reach.github.vocabulary import CAPABILITIES_OF_PERMISSION
from tests.reach.github.organization_builder import ask, drop_kind, index
from tests.reach.github.random_organizations import (
    BRANCHES,
    LOGINS,
    draw_organization,
)
from tests.reference.github import rules as reference

KINDS = (
    "base_role",
    "members",
    "teams",
    "team.members",
    "repository_roles",
    "organization_roles",
    "rulesets",
    "tokens",
    "repository.collaborators",
    "repository.teams",
    "repository.protections",
    "repository.rulesets",
    "repository.environments",
    "repository.branches",
    "repository.workflows",
    "repository.visibility",
)
Call = tuple[str, str, str]


def list_questions(organization: GithubOrganization) -> Iterator[tuple[Call, int]]:
    """List calls with the verdict of the reference."""
    (repository,) = organization.repositories or ()
    (environment,) = repository.environments or ()
    for login in LOGINS:
        person = reference.Person(organization, login, repository)
        for branch in (*BRANCHES, "release/two"):
            resource = f"shop/branch/{branch}"
            yield (login, "push", resource), reference.push(person, branch)
        for branch in BRANCHES:
            resource = f"shop/branch/{branch}"
            yield (login, "merge", resource), reference.merge(person, branch)
        yield (login, "create-branch", "shop"), reference.create_branch(person)
        yield (login, "edit-workflow", "shop"), reference.any_run(person)
        deploys = reference.deploy(person, environment)
        yield (login, "deploy", "shop/environment/prod"), deploys
    pushes = reference.token_pushes(organization, 1, repository)
    yield ("pat/1", "push", "shop/branch/main"), pushes


def find_disagreements(seed: int) -> list[str]:
    """Name each call that engine and reference answer differently."""
    organization = draw_organization(seed)
    organizations = index(organization)
    found = []
    for call, rank in list_questions(organization):
        got = ask(organizations, *call, direct=True).verdict
        if got != reference.WORDS[rank]:
            found.append(f"{call}: {got} not {reference.WORDS[rank]}")
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_the_engine_answers_as_the_reference(seed: int) -> None:
    assert find_disagreements(seed) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_missing_data_never_decides(seed: int, kind: str) -> None:
    organization = draw_organization(seed)
    whole, partial = index(organization), index(drop_kind(organization, kind))
    for call, _ in list_questions(organization):
        before = ask(whole, *call, direct=True).verdict
        after = ask(partial, *call, direct=True).verdict
        if before != "never":
            assert after != "never", (call, before)
        if after == "always":
            assert before == "always", (call, before)


def _without(name: str) -> Callable[[Any], Any]:
    """Return a listing of grants without those whose statement begins with a word."""
    listed = role_grants.list_grants_of_user

    def changed(*args: Any) -> Any:
        for grant in listed(*args):
            if not grant.proof[-1].statement.startswith(name):
                yield grant

    return lambda patch: patch.setattr(
        repository_access, "list_grants_of_user", changed
    )


def _forget_base_of_custom_role(patch: Any) -> None:
    resolve = repository_access._resolve_role

    def changed(*args: Any) -> Any:
        base, proof, extras = resolve(*args)
        return ("none" if extras or len(proof) > 1 else base), proof, extras

    patch.setattr(repository_access, "_resolve_role", changed)


def _enforce_push_gate(patch: Any) -> None:
    decide = branch_write._decide_push_gate

    def changed(place: Any, access: Any, rule: Any) -> Any:
        if rule.enforce_admins:
            kept = {
                k: v
                for k, v in access.capabilities.items()
                if k != "push_protected_branch"
            }
            access = replace(access, capabilities=kept)
        return decide(place, access, rule)

    patch.setattr(branch_write, "_decide_push_gate", changed)


def _treat_evaluate_as_active(patch: Any) -> None:
    listed = branch_write.list_rulesets

    def changed(place: Any) -> Any:
        def active(rulesets: Any) -> Any:
            return tuple(
                replace(r, enforcement="active") if r.enforcement == "evaluate" else r
                for r in rulesets
            )

        repository = replace(
            place.repository, rulesets=active(place.repository.rulesets)
        )
        return listed(replace(place, repository=repository))

    patch.setattr(branch_write, "list_rulesets", changed)


def _ignore_mode(patch: Any) -> None:
    can = branch_write._can_bypass

    def changed(actor: Any, *args: Any) -> Any:
        return can(replace(actor, mode="always"), *args)

    patch.setattr(branch_write, "_can_bypass", changed)


def _exceed_owner(patch: Any) -> None:
    find = repository_access._find_access_of_token

    def changed(place: Any, subject: Any) -> Any:
        found = find(place, subject)
        (token,) = place.index.organization.tokens
        more = {
            name: ()
            for pair in token.permissions
            for name in CAPABILITIES_OF_PERMISSION.get(pair, ())
        }
        return replace(found, capabilities={**more, **found.capabilities})

    patch.setattr(repository_access, "_find_access_of_token", changed)


def _match_slashes(patch: Any) -> None:
    from fnmatch import fnmatchcase

    patch.setattr(branch_write, "matches", lambda p, n: fnmatchcase(n, p))


def _first_pattern(patch: Any) -> None:
    def changed(place: Any, branch: str) -> Any:
        rules = place.repository.protections or ()
        return next((r for r in rules if ref_patterns.matches(r.pattern, branch)), None)

    patch.setattr(branch_write, "find_protection", changed)


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "bypass actor ignored": lambda p: p.setattr(
        branch_write, "_can_bypass", lambda *_: False
    ),
    "bypass mode ignored": _ignore_mode,
    "base role dropped": _without("base role"),
    "owner dropped": _without("owner"),
    "push gate enforced for administrators": _enforce_push_gate,
    "nested team dropped": lambda p: p.setattr(
        organization_index.OrganizationIndex, "list_team_chain", lambda self, s: [s]
    ),
    "base of a custom role dropped": _forget_base_of_custom_role,
    "evaluated ruleset active": _treat_evaluate_as_active,
    "branch pattern of an environment ignored": lambda p: p.setattr(
        workflow_runs, "_list_deploying_contexts", lambda *_: None
    ),
    "token beyond its owner": _exceed_owner,
    "wildcard matches slashes": _match_slashes,
    "first pattern before the name": _first_pattern,
    "archived repository writable": lambda p: p.setattr(
        repository_access, "_limit_archived", lambda place, access: access
    ),
    "reviewers ignored": lambda p: p.setattr(
        workflow_runs,
        "decide_review",
        lambda *_: AccessDecision(TRUE),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MISTAKES[name](monkeypatch)
    assert any(find_disagreements(seed) for seed in range(400)), name
