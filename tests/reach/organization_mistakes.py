"""Mistakes in the evaluation of SCPs and RCPs, each planted by a patch."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled import (
    account_compiler,
    accounts,
    limiting_policies,
    policy_compiler,
    service_facts,
)
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.evaluation import evaluate_external, policy_layers

_levels_of = limiting_policies.compile_scp_levels
_paths_over = policy_compiler.list_organization_paths


def _levels(patch: pytest.MonkeyPatch, keep: slice) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[LimitingLayer, ...]:
        return _levels_of(path, *rest)[keep]  # type: ignore[arg-type] - passed through

    patch.setattr(policy_compiler, "compile_scp_levels", levels_of)


def scp_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(0, 0))


def scp_level_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(1, None))


def scp_of_the_account_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(0, -1))


def scp_levels_united(patch: pytest.MonkeyPatch) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[LimitingLayer, ...]:
        levels = _levels_of(path, *rest)  # type: ignore[arg-type] - passed through
        grants = tuple(g for level in levels for g in level.grants)
        gaps = tuple(gap for level in levels for gap in level.gaps)
        return (LimitingLayer(PolicyLayer.SCP, "all", grants, gaps),) if levels else ()

    patch.setattr(policy_compiler, "compile_scp_levels", levels_of)


def scp_level_missing_as_full(patch: pytest.MonkeyPatch) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[LimitingLayer, ...]:
        levels = _levels_of(path, *rest)  # type: ignore[arg-type] - passed through
        return tuple(one for one in levels if one.grants or len(one.gaps) != 1)

    patch.setattr(policy_compiler, "compile_scp_levels", levels_of)


def management_bound(patch: pytest.MonkeyPatch) -> None:
    def paths_over(
        accounts: dict[str, object], *rest: object
    ) -> dict[str, tuple[str, ...]]:
        members = {k: replace(a, management=False) for k, a in accounts.items()}  # type: ignore[type-var] - accounts
        return _paths_over(members, *rest)  # type: ignore[arg-type] - passed through

    for module in (policy_compiler, account_compiler):
        patch.setattr(module, "list_organization_paths", paths_over)


def linked_roles_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_compiler, "is_service_linked", lambda identity: False)


def rcp_skipped(patch: pytest.MonkeyPatch) -> None:
    for module in (policy_layers, evaluate_external):
        patch.setattr(module, "match_rcps", lambda *_: [])


def rcp_for_insiders_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_external, "match_rcps", lambda *_: [])


def rcp_of_the_caller(patch: pytest.MonkeyPatch) -> None:
    known = accounts.CompiledAccounts._list_rcps_on_resource
    patch.setattr(
        accounts.CompiledAccounts,
        "_list_rcps_on_resource",
        lambda self, owner, *, is_pattern: known(
            self, "111122223333", is_pattern=is_pattern
        ),
    )


def rcp_of_every_service(patch: pytest.MonkeyPatch) -> None:
    for module in (service_facts, accounts):
        patch.setattr(module, "supports_rcps", lambda action: True)
