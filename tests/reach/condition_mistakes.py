"""Mistakes in the evaluation of conditions, each planted by a patch."""

import pytest

from answerable.reach.aws.evaluation import conditions, context_keys
from answerable.reach.aws.patterns import glob_matching
from answerable.reach.condition_formula import TRUE

Stated = tuple[str, ...] | None
_parsed = conditions.parse_condition_operator
_missing = conditions._evaluate_absent_key


def variable_unescaped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(context_keys, "encode_literal", glob_matching.encode_glob)


def default_ignored(patch: pytest.MonkeyPatch) -> None:
    variable = context_keys._parse_policy_variable
    patch.setattr(
        context_keys,
        "_parse_policy_variable",
        lambda inside: (variable(inside)[0], None),
    )


def open_condition_as_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_conjoin_undecided_conditions", lambda clauses: TRUE)


def if_exists_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        conditions, "parse_condition_operator", lambda op: (*_parsed(op)[:2], False)
    )


def if_exists_everywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_evaluate_absent_key", lambda *_, **__: True)


def missing_key_fails_for_all(patch: pytest.MonkeyPatch) -> None:
    def missing(quantifier: str, *, negated: bool, if_exists: bool) -> bool | None:
        if quantifier == "forallvalues":
            return False
        return _missing(quantifier, negated=negated, if_exists=if_exists)

    patch.setattr(conditions, "_evaluate_absent_key", missing)


def quantifiers_swapped(patch: pytest.MonkeyPatch) -> None:
    other = {"forallvalues": "foranyvalue", "foranyvalue": "forallvalues", "": ""}

    def parsed(operator: str) -> tuple[str, str, bool]:
        quantifier, base, if_exists = _parsed(operator)
        return other.get(quantifier, quantifier), base, if_exists

    patch.setattr(conditions, "parse_condition_operator", parsed)


def null_inverted(patch: pytest.MonkeyPatch) -> None:
    null = conditions._evaluate_null_operator

    def inverted(values: tuple[str, ...], given: tuple[str, ...]) -> bool | None:
        found = null(values, given)
        return None if found is None else not found

    patch.setattr(conditions, "_evaluate_null_operator", inverted)


def unknown_operator_as_held(patch: pytest.MonkeyPatch) -> None:
    holds = conditions._evaluate_condition_operator
    patch.setattr(
        conditions,
        "_evaluate_condition_operator",
        lambda *args: holds(*args) is not False,
    )
