"""A law that cannot fail proves nothing: each mistake planted here is found by it."""

from dataclasses import replace

import pytest
import re2

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled import accounts, principal_matching, statements
from answerable.reach.aws.compiled.attachments import AttachmentCompiler
from answerable.reach.aws.compiled.principal_matching import NamingFormulas
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation import (
    evaluate_principal,
    policy_layers,
    resource_policies,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.request import AwsRequest, ResourcePolicyResult
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.patterns import action_pattern_index, glob_matching
from answerable.reach.condition_formula import FALSE, TRUE, Formula, negate
from tests.reach import laws
from tests.reach.account_builder import role, user
from tests.reach.condition_mistakes import (
    Stated,
    default_ignored,
    if_exists_everywhere,
    if_exists_ignored,
    missing_key_fails_for_all,
    null_inverted,
    open_condition_as_held,
    quantifiers_swapped,
    unknown_operator_as_held,
    variable_unescaped,
)
from tests.reach.mutation import Plant, is_caught
from tests.reach.strategies_cases import cases
from tests.reach.strategies_mix import EVEN, Mix
from tests.reach.strategies_organisation import ROLES

_bounded = policy_layers.evaluate_permissions_boundary
_combined = policy_layers.combine_identity_and_resource_policies
_side_of = resource_policies.evaluate_resource_policy_for_principal
_side_for = evaluate_principal.evaluate_resource_policy
_names = principal_matching.match_principal


def _deny_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_layers, "match_denies", lambda *_: [])


def _open_deny_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        policy_layers, "negate", lambda f: negate(f) if f in (TRUE, FALSE) else TRUE
    )


def _boundary_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_layers, "evaluate_permissions_boundary", lambda *_: TRUE)


def _empty_boundary_as_none(patch: pytest.MonkeyPatch) -> None:
    def bounded(principal: CompiledPrincipal, bounds: object, gaps: object) -> Formula:
        empty = not principal.boundary and not gaps
        return TRUE if empty else _bounded(principal, bounds, gaps)  # type: ignore[arg-type] - passed through

    patch.setattr(policy_layers, "evaluate_permissions_boundary", bounded)


def _boundary_binds_a_named_user(patch: pytest.MonkeyPatch) -> None:
    def combined(
        allowed: Formula, limit: Formula, side: ResourcePolicyResult | None
    ) -> Formula:
        bound = replace(side, escaping=FALSE, direct=side.escaping) if side else None
        return _combined(allowed, limit, bound)

    patch.setattr(policy_layers, "combine_identity_and_resource_policies", combined)


def _role_escapes_its_boundary(patch: pytest.MonkeyPatch) -> None:
    def names(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        known: ContextKeys,
        *,
        starts_session: bool = False,
    ) -> NamingFormulas:
        found = _names(clause, who, known, starts_session=starts_session)
        return [("escaping" if how == "direct" else how, f) for how, f in found]

    patch.setattr(resource_policies, "match_principal", names)


def _trust_changed(patch: pytest.MonkeyPatch, **change: Formula) -> None:
    def side_of(
        own: object, who: CompiledPrincipal, call: AwsRequest, known: ContextKeys
    ) -> ResourcePolicyResult:
        side = _side_of(own, who, call, known)  # type: ignore[arg-type] - passed through
        return replace(side, **change) if isinstance(own, RoleTrust) else side  # type: ignore[arg-type] - formulas only

    patch.setattr(evaluate_principal, "evaluate_resource_policy_for_principal", side_of)


def _trust_unread(patch: pytest.MonkeyPatch) -> None:
    _trust_changed(patch, direct=TRUE)


def _trust_deny_dropped(patch: pytest.MonkeyPatch) -> None:
    _trust_changed(patch, denied=FALSE)


def _trust_reversed(patch: pytest.MonkeyPatch) -> None:
    def side_for(
        held: accounts.CompiledAccounts,
        who: CompiledPrincipal,
        call: AwsRequest,
        known: ContextKeys,
    ) -> ResourcePolicyResult | None:
        other = held.principals.get(call.resource)  # type: ignore[call-overload] - ids are texts
        if call.action == "sts:assumerole" and other and who.is_role:
            return _side_for(held, other, call._replace(resource=who.id), known)
        return _side_for(held, who, call, known)

    patch.setattr(evaluate_principal, "evaluate_resource_policy", side_for)


def _account_taken_for_name(patch: pytest.MonkeyPatch) -> None:
    def names(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        known: ContextKeys,
        *,
        starts_session: bool = False,
    ) -> NamingFormulas:
        return [
            ("direct", formula)
            for _, formula in _names(clause, who, known, starts_session=starts_session)
        ]

    patch.setattr(resource_policies, "match_principal", names)


def _account_hides_the_name(patch: pytest.MonkeyPatch) -> None:
    def names(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        known: ContextKeys,
        *,
        starts_session: bool = False,
    ) -> NamingFormulas:
        found = _names(clause, who, known, starts_session=starts_session)
        account = [one for one in found if one[0] == "account"]
        return account or found

    patch.setattr(resource_policies, "match_principal", names)


def _cross_account_union(patch: pytest.MonkeyPatch) -> None:
    def combined(
        allowed: Formula, limit: Formula, side: ResourcePolicyResult | None
    ) -> Formula:
        near = replace(side, same_account=True) if side else None
        return _combined(allowed, limit, near)

    patch.setattr(policy_layers, "combine_identity_and_resource_policies", combined)
    patch.setattr(evaluate_principal, "evaluate_identity_policies", lambda *_: TRUE)


def _not_action_inverted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        statements,
        "matches_action_element",
        lambda c, action: c.action_set.matches_action(action),
    )


def _not_resource_inverted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(statements, "negate", lambda formula: formula)


def _question_mark_optional(patch: pytest.MonkeyPatch) -> None:
    def compiled(pattern: str) -> object:
        parts = {glob_matching.ANY_TEXT: ".*", glob_matching.ANY_CHARACTER: ".?"}
        return re2.compile("".join(parts.get(c) or re2.escape(c) for c in pattern))

    patch.setattr(glob_matching, "_compile_glob_matcher", compiled)


def _wildcards_cross_parts(patch: pytest.MonkeyPatch) -> None:
    def matches_parts(pattern: tuple[str, ...], text: tuple[str, ...]) -> bool:
        return len(pattern) == 1 or glob_matching.matches_glob(
            ":".join(pattern), ":".join(text)
        )

    def segments(pattern: str) -> tuple[str, ...]:
        return tuple(pattern.split(":"))

    patch.setattr(statements, "matches_arn", matches_parts)
    patch.setattr(
        "answerable.reach.aws.patterns.arn_matching.split_arn_pattern", segments
    )
    patch.setattr(statements._match_any_resource_pattern, "__defaults__", None)
    patch.setattr(statements.match_resource_element, "__defaults__", (matches_parts,))


def _actions_keep_case(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        action_pattern_index.ActionSet,
        "matches_action",
        lambda s, a: a.title() in s.exact,
    )


def _matrix_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(accounts, "can_action_act_on_resource", lambda *_: True)


def _groups_dropped(patch: pytest.MonkeyPatch) -> None:
    add = AttachmentCompiler.compile_attached_policy

    def without(self: AttachmentCompiler, attachment: object) -> None:
        if not getattr(attachment, "via", ""):
            add(self, attachment)  # type: ignore[arg-type] - passed through

    patch.setattr(AttachmentCompiler, "compile_attached_policy", without)


def _unread_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        CompiledPrincipal, "list_unread_policies_of_layer", lambda self, layer: ()
    )


def _not_principal_as_principal(patch: pytest.MonkeyPatch) -> None:
    def listed(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        stated: Stated,
        *,
        starts_session: bool,
    ) -> NamingFormulas:
        return principal_matching._match_principal_element(
            clause.naming, who, stated, starts_session=starts_session
        )

    patch.setattr(principal_matching, "_match_not_principal_element", listed)


def _not_principal_spares_the_bounded(patch: pytest.MonkeyPatch) -> None:
    all_but = principal_matching._match_not_principal_element

    def sparing(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        stated: Stated,
        *,
        starts_session: bool,
    ) -> NamingFormulas:
        loose = (
            replace(who, boundary=None) if clause.effect is PolicyEffect.DENY else who
        )
        return all_but(clause, loose, stated, starts_session=starts_session)

    patch.setattr(principal_matching, "_match_not_principal_element", sparing)


def _not_principal_spares_the_account(patch: pytest.MonkeyPatch) -> None:
    left = principal_matching.negate_excepted_principals
    patch.setattr(
        principal_matching,
        "negate_excepted_principals",
        lambda listed, *, includes_account: left(listed, includes_account=True),
    )


MISTAKES: dict[str, Plant] = {
    "a deny is dropped": _deny_dropped,
    "a deny with an open condition is ignored": _open_deny_ignored,
    "a boundary is ignored": _boundary_ignored,
    "an empty boundary counts as none": _empty_boundary_as_none,
    "a boundary limits a user whom a resource names": _boundary_binds_a_named_user,
    "a role that a resource names escapes its boundary": _role_escapes_its_boundary,
    "trust is read in reverse": _trust_reversed,
    "trust is not read": _trust_unread,
    "a deny in a trust is dropped": _trust_deny_dropped,
    "a policy that names the account counts as naming the principal": (
        _account_taken_for_name
    ),
    "a policy that names the account, too, counts as naming it only": (
        _account_hides_the_name
    ),
    "one side suffices across accounts": _cross_account_union,
    "NotAction is read as Action": _not_action_inverted,
    "NotResource is read as Resource": _not_resource_inverted,
    "NotPrincipal is read as Principal": _not_principal_as_principal,
    "NotPrincipal spares a principal with a boundary": (
        _not_principal_spares_the_bounded
    ),
    "NotPrincipal spares everybody of a listed account": (
        _not_principal_spares_the_account
    ),
    "? may stand for nothing": _question_mark_optional,
    "a wildcard crosses the parts of an ARN": _wildcards_cross_parts,
    "actions keep their case": _actions_keep_case,
    "a variable's wildcards are wildcards": variable_unescaped,
    "a variable's default is ignored": default_ignored,
    "an open condition counts as held": open_condition_as_held,
    "IfExists is ignored": if_exists_ignored,
    "every condition holds for a missing key": if_exists_everywhere,
    "ForAllValues fails for a missing key": missing_key_fails_for_all,
    "ForAllValues and ForAnyValue are swapped": quantifiers_swapped,
    "Null is inverted": null_inverted,
    "an operator that nobody knows counts as held": unknown_operator_as_held,
    "the action and resource-type matrix is ignored": _matrix_ignored,
    "policies through groups are dropped": _groups_dropped,
    "a statement set aside is forgotten": _unread_forgotten,
}


_TWO = (user("ana"), role("one"))
_BARE = Mix(scp=0, rcp=0, boundary=0, session=0, endpoint=0, outside=0)
_PLAIN = replace(_BARE, organised=0, block=0, assume=0)
# Where a mistake shows in few cases, the law is held against more of its kind.
MIXES: dict[str, Mix] = {
    "a role that a resource names escapes its boundary": Mix(
        boundary=9, assume=0, outside=0, subjects=(role("one"),)
    ),
    "trust is read in reverse": Mix(assume=10, outside=0, subjects=tuple(ROLES)),
    "a deny in a trust is dropped": Mix(assume=10, outside=0, subjects=tuple(ROLES)),
    "a policy that names the account, too, counts as naming it only": Mix(
        scp=0, rcp=0, boundary=0, session=0, endpoint=0, outside=0, subjects=_TWO
    ),
    "NotPrincipal is read as Principal": replace(_BARE, spelled=7, subjects=_TWO),
    "NotPrincipal spares a principal with a boundary": Mix(
        scp=0, rcp=0, session=0, boundary=9, outside=0, spelled=7, subjects=_TWO
    ),
    "NotPrincipal spares everybody of a listed account": Mix(
        scp=0, rcp=0, session=0, boundary=0, outside=0, spelled=7, subjects=_TWO
    ),
    "a policy that names the account counts as naming the principal": _BARE,
    "an open condition counts as held": _BARE,
    "NotAction is read as Action": _BARE,
    "the action and resource-type matrix is ignored": _BARE,
    "a variable's wildcards are wildcards": replace(
        _PLAIN, variables=9, kinds=("s3:bucket",), subjects=_TWO
    ),
    "a variable's default is ignored": replace(
        _PLAIN, variables=9, kinds=("s3:bucket",), subjects=_TWO
    ),
    "IfExists is ignored": Mix(lines="IfExists"),
    "every condition holds for a missing key": replace(_BARE, lines="Tag/none"),
    "ForAllValues fails for a missing key": replace(_BARE, lines="ForAllValues"),
    "ForAllValues and ForAnyValue are swapped": replace(_BARE, lines="ForA"),
    "an operator that nobody knows counts as held": replace(_BARE, lines="MadeUp"),
    "policies through groups are dropped": replace(_PLAIN, subjects=_TWO[:1]),
    "NotResource is read as Resource": _BARE,
    "? may stand for nothing": replace(_PLAIN, kinds=("sqs:queue",), subjects=_TWO),
    "a boundary is ignored": replace(_BARE, boundary=9),
    "an empty boundary counts as none": replace(_BARE, boundary=9, subjects=_TWO),
    "a statement set aside is forgotten": _BARE,
    "Null is inverted": Mix(lines="Null"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_law_finds(mistake: str) -> None:
    mix = MIXES.get(mistake, EVEN)
    assert is_caught(MISTAKES[mistake], cases(mix), laws.holds_for)
