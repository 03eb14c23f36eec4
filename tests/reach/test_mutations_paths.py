"""Mistakes planted in the ways to become somebody: the law of paths finds each."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk import caller_side
from answerable.reach.aws.bulk.bitset import Plane
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.existing_resources import Existing, Places
from answerable.reach.aws.compiled import accounts
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.escalation_rules.registry import (
    EDITS,
    LAUNCHES,
    MAKES,
    RUNNING,
    Gives,
    Need,
)
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.evaluation.trust import Entry
from answerable.reach.aws.paths import (
    created_identities,
    edges,
    iam_edits,
    witness_resources,
)
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.formula import FALSE, TRUE
from tests.reach.laws import paths_agree
from tests.reach.mutation import Plant, found, planted
from tests.reach.strategies_paths import paths

_together = witness_resources.together
_at_one_name = created_identities.at_one_name
_answers_on = witness_resources.answers_on


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
    left = [edit for edit in EDITS if edit.action != "iam:UpdateAssumeRolePolicy"]
    _everywhere(patch, EDITS, tuple(left))
    _everywhere(patch, iam_edits.admin_edges, lambda *_: iter(()))


def _what_is_gained_escapes_the_boundary(patch: pytest.MonkeyPatch) -> None:
    more = Principal.with_more

    def with_more(self: Principal, extra: str, grants: list[Grant]) -> Principal:
        return replace(more(self, extra, grants), boundary=None, _by_action={})

    patch.setattr(Principal, "with_more", with_more)


def _service_trust_not_asked(patch: pytest.MonkeyPatch) -> None:
    entry = Entry("any", "Service", "sts:AssumeRole", Answer(TRUE, ()))
    patch.setattr(Graph, "service_entries", lambda *_: iter([entry]))
    patch.setattr(
        accounts,
        "services_of",
        lambda trusts: ((s.service, t.role) for t in trusts for s in LAUNCHES),
    )


def _conditions_of_hops_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(edges, "chained", lambda *formulas: TRUE)
    _everywhere(patch, caller_side.judged, _whatever_may_be_is)


def _whatever_may_be_is(
    allowed: Plane, denied: Plane, odd: int, *, unread: bool, clash: bool
) -> Verdicts:
    return Verdicts(allowed.maybe & ~denied.sure, allowed.maybe & ~denied.sure)


def _running_code_forgotten(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, RUNNING, ())


def _what_must_be_so_besides_forgotten(patch: pytest.MonkeyPatch) -> None:
    sure = tuple(replace(rule, awaits="") for rule in RUNNING)
    _everywhere(patch, RUNNING, sure)


def _one_of_several_resources_suffices(patch: pytest.MonkeyPatch) -> None:
    def together(
        held: Estate, who: Principal, needs: Sequence[Need], existing: str = ""
    ) -> tuple[Answer, ...]:
        first = {need.action: need for need in reversed(needs)}
        return _together(held, who, list(first.values()), existing)

    _everywhere(patch, _together, together)
    beside = Existing._beside

    def alone(
        held: Existing, actor: int, others: tuple[Need, ...], sure: int, some: int
    ) -> Places:
        same = {"ssm:SendCommand"} & {need.action for need in others}
        return Places(sure, some) if same else beside(held, actor, others, sure, some)

    patch.setattr(Existing, "_beside", alone)


def _each_call_under_a_name_of_its_own(patch: pytest.MonkeyPatch) -> None:
    def together(
        held: Estate, who: Principal, needs: Sequence[Need], existing: str = ""
    ) -> tuple[Answer, ...]:
        answers = [_together(held, who, [need], existing) for need in needs]
        return tuple(answer for one in answers for answer in one)

    def at_one_name(
        held: Estate, who: Principal, make: object, needs: Sequence[Need]
    ) -> created_identities.NewName | None:
        calls = [need for need in needs if need.action != "sts:AssumeRole"]
        found = together(held, who, calls)
        if any(answer.formula == FALSE for answer in found):
            return None
        return created_identities.NewName("arn:aws:iam::1:role/any", found)

    _everywhere(patch, _together, together)
    _everywhere(patch, _at_one_name, at_one_name)


def _making_forgotten(patch: pytest.MonkeyPatch) -> None:
    _everywhere(patch, MAKES, ())


def _whoever_is_made_does_nothing(patch: pytest.MonkeyPatch) -> None:
    plain = created_identities.made_principal

    def nobody(held: Estate, identity: IdentityId) -> Principal:
        return replace(plain(held, identity), grants=(), _by_action={})

    _everywhere(patch, plain, nobody)


def _a_policy_is_put_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """Making needs no right to give a policy."""
    free = tuple(replace(make, widen=(make.create,)) for make in MAKES)
    _everywhere(patch, MAKES, free)


def _a_boundary_that_must_be_stated_is_not(patch: pytest.MonkeyPatch) -> None:
    def answers_on(
        held: Estate, who: Principal, group: Sequence[Need], resource: str
    ) -> tuple[Answer, ...]:
        answers: Iterable[Answer] = _answers_on(held, who, group, resource)
        return tuple(
            a if a.formula == FALSE else Answer(TRUE, a.determining) for a in answers
        )

    _everywhere(patch, _answers_on, answers_on)


def _no_boundary_is_taken_off(patch: pytest.MonkeyPatch) -> None:
    left = tuple(edit for edit in EDITS if edit.gives is not Gives.FREE)
    _everywhere(patch, EDITS, left)


def _a_boundary_stays_when_it_is_taken_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Principal, "without_boundary", lambda self: self)


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
    with planted(plant):
        assert found(paths(wanted), lambda case: paths_agree(*case), 60)
