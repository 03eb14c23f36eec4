"""Security test 11 and law 3: a child reaches no more than its parent."""

import os
from dataclasses import replace

import pytest

from answerable.federation import delegation_source, delegations
from answerable.federation.delegations import DelegationRequest
from tests.federation import delegation_chains
from tests.federation.sample_rules import A, B, chain_of, rule

CHAINS = 3_000
BENCH = int(os.environ.get("CHAINS", "100000"))


def walk_all(counted: list[str], count: int) -> None:
    for seed in range(count):
        counted += delegation_chains.walk(seed).elements()


def test_a_child_reaches_no_more_than_its_parent(counted: list[str]) -> None:
    walk_all(counted, CHAINS)
    for kind in ("depth 2", "depth 3", "depth 4", "depth", "cycle", "scope-beyond"):
        assert counted.count(kind) > CHAINS // 100, kind


@pytest.mark.bench
def test_a_child_reaches_no_more_than_its_parent_in_many_chains(
    counted: list[str],
) -> None:
    walk_all(counted, BENCH)


def _all_scopes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        delegations,
        "_intersect_with_parent",
        lambda parent, each: (parent.audiences, each.scopes),
    )


def _whole_life(patch: pytest.MonkeyPatch) -> None:
    part = delegations.open_child_delegation

    def longer(
        parent: object, portion: object, *rest: object, **more: object
    ) -> object:
        link = part(parent, portion, *rest, **more)  # type: ignore[arg-type]
        return replace(link, expires=link.expires + 1)

    patch.setattr(delegation_source, "open_child_delegation", longer)


def _no_depth(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delegations, "MAX_DELEGATION_DEPTH", 9)


@pytest.mark.parametrize("plant", [_all_scopes, _whole_life, _no_depth])
def test_a_planted_mistake_is_found(
    plant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(plant)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        walk_all([], CHAINS)


def test_the_engine_tells_more_from_less() -> None:
    (parent,) = chain_of(rule(delegate_to=(B,)))
    assert parent.agent == A
    less, more = {("https://u.example", "r")}, {("https://u.example", "admin")}
    assert delegation_chains.is_within(less, delegation_chains.reached(parent))
    assert not delegation_chains.is_within(more, delegation_chains.reached(parent))
    assert DelegationRequest(B, "", None, None, 1).audiences is None
