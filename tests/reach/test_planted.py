"""A law that cannot fail proves nothing: each mistake planted here is found by it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from answerable.model.ids import IdentityId
from answerable.reach import (
    clauses,
    conditions,
    edits,
    estate,
    evaluate,
    globs,
    questions,
    steps,
    trust,
)
from answerable.reach.clauses import Clause, Grant
from answerable.reach.context import Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, Request, Side
from answerable.reach.formula import FALSE, TRUE, Formula, negation
from answerable.reach.graph import Graph
from answerable.reach.principals import Principal
from answerable.reach.rules import EDITS, LAUNCHES
from answerable.reach.trust import Entry, Trust
from tests.reach.path_strategies import paths
from tests.reach.strategies import CALLS, GIVEN, estates
from tests.reach.laws import calls_agree, paths_agree

Plant = Callable[[pytest.MonkeyPatch], None]
Case = TypeVar("Case")

_bounded = evaluate.bounded
_combined = evaluate.combined
_assume_with = questions.assume_with
_side_of = trust.side_of
_names = trust.names
_parsed = conditions._parsed


def _deny_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate, "denying", lambda *_: [])


def _boundary_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate, "bounded", lambda *_: TRUE)


def _empty_boundary_as_none(patch: pytest.MonkeyPatch) -> None:
    def bounded(principal: Principal, bounds: object, gaps: object) -> Formula:
        empty = not principal.boundary and not gaps
        return TRUE if empty else _bounded(principal, bounds, gaps)  # type: ignore[arg-type] - passed through

    patch.setattr(evaluate, "bounded", bounded)


def _trust_reversed(patch: pytest.MonkeyPatch) -> None:
    def assume(
        held: Estate, who: Principal, role: IdentityId, known: Known, *, hop: bool
    ) -> Answer:
        if who.id in held.trusts:
            return _assume_with(held, held.principals[role], who.id, known, hop=hop)
        return _assume_with(held, who, role, known, hop=hop)

    patch.setattr(questions, "assume_with", assume)


def _trust_unread(patch: pytest.MonkeyPatch) -> None:
    def side_of(held: Trust, who: Principal, call: Request) -> Side:
        return replace(_side_of(held, who, call), direct=TRUE)

    patch.setattr("answerable.reach.assume.side_of", side_of)


def _trust_deny_dropped(patch: pytest.MonkeyPatch) -> None:
    def side_of(held: Trust, who: Principal, call: Request) -> Side:
        return replace(_side_of(held, who, call), denied=FALSE)

    patch.setattr("answerable.reach.assume.side_of", side_of)


def _not_action_inverted(patch: pytest.MonkeyPatch) -> None:
    def takes_action(clause: Clause, action: str) -> bool:
        patterns = clause.not_actions or clause.actions
        return any(globs.matches(p, action) for p in patterns)

    patch.setattr(clauses, "takes_action", takes_action)


def _not_resource_inverted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clauses, "negation", lambda formula: formula)


def _question_mark_optional(patch: pytest.MonkeyPatch) -> None:
    def compiled(pattern: str) -> object:
        import re2

        parts = {globs.STAR: ".*", globs.ANY: ".?"}
        return re2.compile("".join(parts.get(c) or re2.escape(c) for c in pattern))

    patch.setattr(globs, "_compiled", compiled)


def _cross_account_union(patch: pytest.MonkeyPatch) -> None:
    def combined(allowed: Formula, limit: Formula, side: Side | None) -> Formula:
        near = replace(side, same_account=True) if side else None
        return _combined(allowed, limit, near)

    patch.setattr(evaluate, "combined", combined)


def _account_taken_for_name(patch: pytest.MonkeyPatch) -> None:
    def names(clause: Clause, who: Principal) -> list[tuple[str, Formula]]:
        return [("direct", formula) for _, formula in _names(clause, who)]

    patch.setattr(trust, "names", names)


def _boundary_binds_a_named_user(patch: pytest.MonkeyPatch) -> None:
    def combined(allowed: Formula, limit: Formula, side: Side | None) -> Formula:
        bound = replace(side, escaping=FALSE, direct=side.escaping) if side else None
        return _combined(allowed, limit, bound)

    patch.setattr(evaluate, "combined", combined)


def _open_condition_as_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_open", lambda clause: TRUE)


def _if_exists_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_parsed", lambda op: (*_parsed(op)[:2], False))


def _open_deny_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        evaluate, "negation", lambda f: negation(f) if f in (TRUE, FALSE) else TRUE
    )


def _matrix_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(estate, "possible", lambda *_: True)


def _groups_dropped(patch: pytest.MonkeyPatch) -> None:
    add = estate._Builder.add

    def without(self: estate._Builder, attachment: object) -> None:
        if not getattr(attachment, "via", ""):
            add(self, attachment)  # type: ignore[arg-type] - passed through

    patch.setattr(estate._Builder, "add", without)


def _unread_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Principal, "gaps_at", lambda self, layer: ())


MISTAKES: dict[str, Plant] = {
    "a deny is dropped": _deny_dropped,
    "a deny with an open condition is ignored": _open_deny_ignored,
    "a boundary is ignored": _boundary_ignored,
    "an empty boundary counts as none": _empty_boundary_as_none,
    "a boundary limits a user whom a trust names": _boundary_binds_a_named_user,
    "trust is read in reverse": _trust_reversed,
    "trust is not read": _trust_unread,
    "a deny in a trust is dropped": _trust_deny_dropped,
    "a trust that names the account counts as naming the principal": (
        _account_taken_for_name
    ),
    "one side suffices across accounts": _cross_account_union,
    "NotAction is read as Action": _not_action_inverted,
    "NotResource is read as Resource": _not_resource_inverted,
    "? may stand for nothing": _question_mark_optional,
    "an open condition counts as held": _open_condition_as_held,
    "IfExists is ignored": _if_exists_ignored,
    "the action and resource-type matrix is ignored": _matrix_ignored,
    "policies through groups are dropped": _groups_dropped,
    "a statement set aside is forgotten": _unread_forgotten,
}


def _found(
    cases: st.SearchStrategy[Case], law: Callable[[Case], None], most: int
) -> bool:
    def fails(case: Case) -> bool:
        try:
            law(case)
        except AssertionError:
            return True
        return False

    enough = settings(
        max_examples=most,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        find(cases, fails, settings=enough)
    except NoSuchExample:
        return False
    return True


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_law_finds(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MISTAKES[mistake](monkeypatch)
    cases = st.tuples(estates(), st.sampled_from(GIVEN))
    assert _found(cases, lambda case: calls_agree(*case, CALLS), 1500)


def _an_edit_forgotten(patch: pytest.MonkeyPatch) -> None:
    left = [edit for edit in EDITS if edit.action != "iam:UpdateAssumeRolePolicy"]
    patch.setattr(edits, "EDITS", tuple(left))
    patch.setattr(edits, "hub_edges", lambda *_: iter(()))


def _what_is_gained_escapes_the_boundary(patch: pytest.MonkeyPatch) -> None:
    more = Principal.with_more

    def with_more(self: Principal, extra: str, grants: list[Grant]) -> Principal:
        return replace(more(self, extra, grants), boundary=None, _by_action={})

    patch.setattr(Principal, "with_more", with_more)


def _service_trust_not_asked(patch: pytest.MonkeyPatch) -> None:
    sure = Answer(TRUE, ())
    entry = Entry("any", "Service", "sts:AssumeRole", sure)
    patch.setattr(Graph, "_service_entries", lambda *_: iter([entry]))
    patch.setattr(
        estate,
        "_services",
        lambda trusts: ((s.service, t.role) for t in trusts for s in LAUNCHES),
    )


def _conditions_of_hops_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(steps, "chained", lambda *formulas: TRUE)


PATH_MISTAKES: dict[str, Plant] = {
    "a rule is forgotten": _an_edit_forgotten,
    "what is gained escapes the boundary": _what_is_gained_escapes_the_boundary,
    "a service role's trust is not asked": _service_trust_not_asked,
    "conditions of hops are dropped": _conditions_of_hops_dropped,
}


@pytest.mark.parametrize("mistake", PATH_MISTAKES)
def test_the_law_of_paths_finds(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PATH_MISTAKES[mistake](monkeypatch)
    assert _found(paths(), lambda case: paths_agree(*case), 400)
