"""Detect verdicts that assume an allow of a policy that was not collected."""

from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.condition_formula import ConditionAtom, Formula


def rests_on_uncollected_allow(formula: Formula) -> bool:
    """Return whether every alternative needs an allow that was not collected.

    A call that they could only deny is allowed by other policies.
    """
    return all(any(map(_is_missing_allow, one)) for one in formula)


def _is_missing_allow(atom: ConditionAtom) -> bool:
    """Return whether an atom represents an allow that was not collected."""
    return atom.key == UNCOLLECTED and atom.operator == "Allows" and not atom.negated
