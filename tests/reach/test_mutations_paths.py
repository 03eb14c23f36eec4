"""Mistakes planted in the ways to become somebody: the law of paths finds each."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk import caller_policies
from answerable.reach.aws.bulk.bitset import BitsetBounds, VerdictBits
from answerable.reach.aws.bulk.existing_resources import (
    ExistingResources,
    MatchedResources,
)
from answerable.reach.aws.compiled import account_compiler
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    EDIT_RULES,
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
    EditEffect,
    RequiredPermission,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.paths import (
    iam_edits,
    identity_creation,
    identity_edges,
    witness_resources,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import FALSE, TRUE
from tests.reach.laws import paths_agree
from tests.reach.mutation import Plant, apply_mutation, is_found
from tests.reach.strategies_paths import paths

_together = witness_resources.find_witness_resources
_at_one_name = identity_creation.find_best_new_resource_name
_answers_on = witness_resources.evaluate_permissions_on_resource


def _everywhere(patch: pytest.MonkeyPatch, right: object, wrong: object) -> None:
    """Plant wherever the engine took something by its name; never in the twin."""
    for name, module in list(sys.modules.items()):
        if name.startswith("answerable.reach.") and ".spec" not in name:
            for key, value in list(vars(module).items()):
                if value is right and (name, key) not in _SHARED:
                    patch.setattr(module, key, wrong)


# What the twin may look up where it is defined.
_SHARED = {
    ("answerable.reach.aws.escalation_rules.registry", name)
    for name in ("EDITS", "RUNNING", "MAKES", "LAUNCHES")
}


def _an_edit_forgotten(patch: pytest.MonkeyPatch) -> None:
    left = [edit for edit in EDIT_RULES if edit.action != "iam:UpdateAssumeRolePolicy"]
    _everywhere(patch, EDIT_RULES, tuple(left))
    _everywhere(patch, iam_edits.list_administrator_edges, lambda *_: iter(()))


def _what_is_gained_escapes_the_boundary(patch: pytest.MonkeyPatch) -> None:
    more = CompiledPrincipal.with_extra_statements

    def with_more(
        self: CompiledPrincipal, extra: str, grants: list[PolicyStatement]
    ) -> CompiledPrincipal:
        return replace(more(self, extra, grants), boundary=None, _by_action={})

    patch.setattr(CompiledPrincipal, "with_extra_statements", with_more)


def _service_trust_not_asked(patch: pytest.MonkeyPatch) -> None:
    entry = TrustEntry("any", "Service", "sts:AssumeRole", Evaluation(TRUE, ()))
    patch.setattr(
        IdentityGraph, "list_service_assume_role_entries", lambda *_: iter([entry])
    )
    patch.setattr(
        account_compiler,
        "list_trusted_services",
        lambda trusts: ((s.service, t.role) for t in trusts for s in PASS_ROLE_RULES),
    )


def _conditions_of_hops_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(identity_edges, "conjoin_hops", lambda *formulas: TRUE)
    _everywhere(patch, caller_policies.subtract_denies, _whatever_may_be_is)


def _whatever_may_be_is(
    allowed: BitsetBounds,
    denied: BitsetBounds,
    non_monotone: int,
    *,
    has_unread_denies: bool,
    may_conflict: bool,
) -> VerdictBits:
    return VerdictBits(allowed.maybe & ~denied.sure, allowed.maybe & ~denied.sure)


def _running_code_forgotten(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, TAKEOVER_RULES, ())


def _what_must_be_so_besides_forgotten(patch: pytest.MonkeyPatch) -> None:
    sure = tuple(replace(rule, precondition="") for rule in TAKEOVER_RULES)
    _everywhere(patch, TAKEOVER_RULES, sure)


def _one_of_several_resources_suffices(patch: pytest.MonkeyPatch) -> None:
    def together(
        held: CompiledAccounts,
        who: CompiledPrincipal,
        needs: Sequence[RequiredPermission],
        existing: str = "",
    ) -> tuple[Evaluation, ...]:
        first = {need.action: need for need in reversed(needs)}
        return _together(held, who, list(first.values()), existing)

    _everywhere(patch, _together, together)
    beside = ExistingResources._evaluate_permissions_elsewhere

    def alone(
        held: ExistingResources,
        actor: int,
        others: tuple[RequiredPermission, ...],
        sure: int,
        some: int,
    ) -> MatchedResources:
        same = {"ssm:SendCommand"} & {need.action for need in others}
        return (
            MatchedResources(sure, some)
            if same
            else beside(held, actor, others, sure, some)
        )

    patch.setattr(ExistingResources, "_evaluate_permissions_elsewhere", alone)


def _each_call_under_a_name_of_its_own(patch: pytest.MonkeyPatch) -> None:
    def together(
        held: CompiledAccounts,
        who: CompiledPrincipal,
        needs: Sequence[RequiredPermission],
        existing: str = "",
    ) -> tuple[Evaluation, ...]:
        answers = [_together(held, who, [need], existing) for need in needs]
        return tuple(answer for one in answers for answer in one)

    def at_one_name(
        held: CompiledAccounts,
        who: CompiledPrincipal,
        needs: Sequence[RequiredPermission],
    ) -> identity_creation.NewResourceName | None:
        calls = [need for need in needs if need.action != "sts:AssumeRole"]
        found = together(held, who, calls)
        if any(answer.formula == FALSE for answer in found):
            return None
        return identity_creation.NewResourceName("arn:aws:iam::1:role/any", found)

    _everywhere(patch, _together, together)
    _everywhere(patch, _at_one_name, at_one_name)


def _making_forgotten(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, CREATION_RULES, ())


def _whoever_is_made_does_nothing(patch: pytest.MonkeyPatch) -> None:
    plain = identity_creation.compile_uncreated_principal

    def nobody(held: CompiledAccounts, identity: IdentityId) -> CompiledPrincipal:
        return replace(plain(held, identity), grants=(), _by_action={})

    _everywhere(patch, plain, nobody)


def _a_policy_is_put_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """Making needs no right to give a policy."""
    free = tuple(
        replace(make, grant_alternatives=(make.create,)) for make in CREATION_RULES
    )
    _everywhere(patch, CREATION_RULES, free)


def _a_boundary_that_must_be_stated_is_not(patch: pytest.MonkeyPatch) -> None:
    def answers_on(
        held: CompiledAccounts,
        who: CompiledPrincipal,
        group: Sequence[RequiredPermission],
        resource: str,
    ) -> tuple[Evaluation, ...]:
        answers: Iterable[Evaluation] = _answers_on(held, who, group, resource)
        return tuple(
            a if a.formula == FALSE else Evaluation(TRUE, a.determining)
            for a in answers
        )

    _everywhere(patch, _answers_on, answers_on)


def _no_boundary_is_taken_off(patch: pytest.MonkeyPatch) -> None:
    left = tuple(edit for edit in EDIT_RULES if edit.effect is not EditEffect.FREE)
    _everywhere(patch, EDIT_RULES, left)


def _a_boundary_stays_when_it_is_taken_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CompiledPrincipal, "without_boundary", lambda self: self)


# With the ways that whoever the case is about has at least.
MISTAKES: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "a rule is forgotten": (_an_edit_forgotten, ("trust",)),
    "what is gained escapes the boundary": (
        _what_is_gained_escapes_the_boundary,
        ("put",),
    ),
    "a service role's trust is not asked": (
        _service_trust_not_asked,
        ("pass", "create", "run"),
    ),
    "conditions of hops are dropped": (_conditions_of_hops_dropped, ("assume-mfa",)),
    "code that runs already is forgotten": (
        _running_code_forgotten,
        ("code", "invoke"),
    ),
    "what no snapshot shows counts as so": (
        _what_must_be_so_besides_forgotten,
        ("session",),
    ),
    "one of several resources suffices": (
        _one_of_several_resources_suffices,
        ("send",),
    ),
    "each call takes a name of its own": (
        _each_call_under_a_name_of_its_own,
        ("make-role", "give-ops"),
    ),
    "identities yet to be made are forgotten": (
        _making_forgotten,
        ("make-role", "give-roles"),
    ),
    "whoever is made may do nothing": (
        _whoever_is_made_does_nothing,
        ("make-role", "give-roles"),
    ),
    "making needs no right to give a policy": (
        _a_policy_is_put_for_nothing,
        ("make-role",),
    ),
    "no boundary is taken off": (_no_boundary_is_taken_off, ("unbound", "read-red")),
    "a boundary stays when it is taken off": (
        _a_boundary_stays_when_it_is_taken_off,
        ("unbound-any", "read-red"),
    ),
    "a boundary that must be stated counts as stated": (
        _a_boundary_that_must_be_stated_is_not,
        ("make-any", "give-roles"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_law_of_paths_finds(mistake: str) -> None:
    plant, wanted = MISTAKES[mistake]
    with apply_mutation(plant):
        assert is_found(paths(wanted), lambda case: paths_agree(*case), 60)
