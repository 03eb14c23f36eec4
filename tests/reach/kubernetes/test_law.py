"""The engine and the reference agree on random clusters; planted mistakes are found."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.kubernetes_ids import KubernetesSubject
from answerable.reach.kubernetes import (
    cluster_index,
    role_edges,
    rule_matching,
    step_edges,
)
from answerable.reach.kubernetes.call_evaluation import list_missing_kinds
from answerable.reach.kubernetes.catalogue import Cluster
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.rule_matching import KubernetesRequest, build_request
from answerable.reach.kubernetes.step_rules import STEP_RULES
from tests.reach.kubernetes.strategies import (
    ACCOUNTS,
    CALLS,
    NAMESPACES,
    USERS,
    random_cluster,
    seeded,
)
from tests.reference.kubernetes import rbac as reference

SEEDS = range(80)


def subjects() -> Iterator[tuple[KubernetesSubject, reference.Who]]:
    """Yield every identity of a random cluster, as both sides name it."""
    for namespace in NAMESPACES:
        for name in ACCOUNTS:
            subject = KubernetesSubject("prod", "serviceaccount", name, namespace)
            yield subject, reference.service_account(namespace, name)
    for name in USERS:
        yield KubernetesSubject("prod", "user", name), reference.user(name)


def request_of(call: reference.Call) -> KubernetesRequest:
    """Return a call as the engine asks it."""
    if call.url:
        return KubernetesRequest(call.verb, url=call.url)
    kind = call.resource, call.group, call.subresource
    return build_request(call.verb, kind, call.name, call.namespace)


def disagreements(cluster: Cluster) -> list[str]:
    """Name each question that engine and reference answer differently."""
    access = ClusterAccess([cluster])
    found = []
    for subject, who in subjects():
        number = access.get_number(subject)
        for call in CALLS:
            request = request_of(call)
            own = access.find_path(number, request, direct=True) is not None
            if own != reference.may(cluster, who, call):
                found.append(f"{subject} {call}: {own}")
            path = access.find_path(number, request, direct=False)
            sure = path is not None and frozenset() in path.formula
            if sure != reference.may_after_steps(cluster, who, call):
                found.append(f"{subject} {call} after steps: {sure}")
    return found


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_every_answer_about_a_random_cluster_is_the_references(
    rng: random.Random,
) -> None:
    assert disagreements(random_cluster(rng)) == []


@given(
    st.randoms(use_true_random=False),
    st.sampled_from(("clusterrolebindings", "clusterroles", "rolebindings", "roles")),
)
@settings(max_examples=30, deadline=None)
def test_a_missing_kind_never_makes_a_denial(rng: random.Random, kind: str) -> None:
    whole = random_cluster(rng)
    cluster_kinds = ("clusterrolebindings", "clusterroles")
    kept_bindings = tuple(
        each
        for each in whole.bindings
        if not kind.endswith("bindings")
        or bool(each.namespace) == (kind in cluster_kinds)
    )
    kept_roles = tuple(
        each
        for each in whole.roles
        if kind.endswith("bindings") or bool(each.namespace) == (kind in cluster_kinds)
    )
    part = replace(
        whole,
        bindings=kept_bindings,
        roles=kept_roles,
        collected=tuple(each for each in whole.collected if each != kind),
    )
    access = ClusterAccess([part])
    for subject, who in subjects():
        for call in CALLS:
            if not reference.may(whole, who, call):
                continue
            request = request_of(call)
            number = access.get_number(subject)
            keys = access.index.list_subject_keys(subject)
            allowed = access.find_path(number, request, direct=True) is not None
            assert allowed or list_missing_kinds(access, request, keys)


def drop_groups(subject: KubernetesSubject, groups: Any = frozenset()) -> Any:
    return frozenset({("user", subject.username), ("group", "system:authenticated")})


def match_whole_cluster(self: Any, request: KubernetesRequest) -> Any:
    for scope in self.scopes.values():
        yield from scope.iterate_candidates(request)


def take_role_of_any_kind(self: Any, binding: Any) -> Any:
    return self.roles.get(("", binding.role)) or self.roles.get(
        (binding.namespace, binding.role)
    )


def cover_subresources(self: Any, request: KubernetesRequest) -> bool:
    listed = self.rule.resources
    return (
        request.resource in listed
        or "*" in listed
        or request.combined_resource in listed
        or f"*/{request.subresource}" in listed
    )


def match_urls_exactly(self: Any, path: str) -> bool:
    return path in self.rule.non_resource_urls


def place_subject(subject: Any, binding: Any) -> Any:
    if subject.kind == "ServiceAccount":
        namespace = subject.namespace or binding.namespace or "apps"
        return "user", f"system:serviceaccount:{namespace}:{subject.name}"
    return subject.kind.lower(), subject.name


def keep_name(verb: str, kind: Any, name: str = "", namespace: str = "") -> Any:
    return KubernetesRequest(verb, kind[0], kind[1], kind[2], name, namespace)


def drop_wildcard_scope(self: Any, request: KubernetesRequest) -> Any:
    exact = [self.by_resource.get(request.combined_resource, ())]
    for grants in exact:
        yield from grants


MISTAKES: list[tuple[object, str, object]] = [
    (cluster_index, "build_subject_keys", drop_groups),
    (rule_matching.RuleMatcher, "matches_name", lambda self, name: True),
    (cluster_index, "compute_aggregated_rules", list),
    (
        rule_matching.RuleMatcher,
        "matches_verb",
        lambda self, verb: verb in self.rule.verbs,
    ),
    (cluster_index.ClusterIndex, "iterate_candidates", match_whole_cluster),
    (cluster_index.ClusterIndex, "get_bound_role", take_role_of_any_kind),
    (cluster_index.GrantScope, "iterate_candidates", drop_wildcard_scope),
    (rule_matching.RuleMatcher, "_matches_url", match_urls_exactly),
    (cluster_index, "build_subject_key", place_subject),
    (cluster_index, "EVERYTHING", ()),
    (step_edges, "STEP_RULES", STEP_RULES[1:]),
    (step_edges, "STEP_RULES", STEP_RULES[3:]),
    (role_edges.RoleSteps, "_compile_bind", lambda self, namespace: ()),
    (role_edges.RoleSteps, "_compile_escalate", lambda self: ()),
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
    assert any(disagreements(random_cluster(seeded(seed))) for seed in SEEDS)
