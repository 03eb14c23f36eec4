"""AccessDecision on one action of one identity: condition, proof and missing data."""

from collections.abc import Iterable
from dataclasses import dataclass

from answerable.reach.answer_items import STEP_CONDITIONS
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    ConditionAtom,
    Formula,
    build_atom,
    conjoin_hops,
)
from answerable.reach.platform import DeterminingStatement

APPROVALS = "github:approvals"
CHECKS = "github:status-checks"
RULE = "github:rule"
BRANCH_NAME = "github:branch-name"
REVIEW = "github:environment-review"
CUSTOM_GATE = "github:deployment-protection-rule"
UNCOLLECTED_PROTECTION = "github:uncollected-protection"
TRIGGER = "github:trigger"
FORK_APPROVAL = "github:fork-approval"
NEXT_RUN = "github:next-run"
ROLE_EDIT = "github:organization-role-edit"
SUBJECT_FORM = "github:subject-form"


def classify(atom: ConditionAtom) -> tuple[str, str]:
    """Return the author of a condition, and a text on who can satisfy it."""
    return STEP_CONDITIONS.get(atom.key, ("depends", ""))


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """AccessDecision on one action.

    Attributes:
        missing: Missing data that could allow it, where the formula is not `TRUE`.
        assuming: Missing data that could refuse it.
    """

    formula: Formula
    determining: tuple[DeterminingStatement, ...] = ()
    missing: tuple[str, ...] = ()
    assuming: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Rank: always before only-if before not known, fewer assumptions first."""
        certain = 2 if self.formula == TRUE else int(self.formula != FALSE)
        atoms = min((len(each) for each in self.formula), default=0)
        return certain, -len(self.assuming), int(bool(self.missing)), -atoms


NO = AccessDecision(FALSE)


def choose_best(decisions: Iterable[AccessDecision]) -> AccessDecision:
    """Choose the best of several ways; what could add a way stays missing."""
    listed = list(decisions)
    if not listed:
        return NO
    best = max(listed, key=lambda each: each.rank)
    if best.formula == TRUE:
        return best
    missing = dict.fromkeys(word for each in listed for word in each.missing)
    return AccessDecision(best.formula, best.determining, tuple(missing), best.assuming)


def conjoin_decisions(*decisions: AccessDecision) -> AccessDecision:
    """Return the decision that all of some decisions hold."""
    refused = [each for each in decisions if each.formula == FALSE]
    if refused:
        firm = next((each for each in refused if not each.missing), None)
        return firm or AccessDecision(
            FALSE, (), _join_unique_words(each.missing for each in refused)
        )
    return AccessDecision(
        conjoin_hops(*(each.formula for each in decisions)),
        tuple(dict.fromkeys(said for each in decisions for said in each.determining)),
        _join_unique_words(each.missing for each in decisions),
        _join_unique_words(each.assuming for each in decisions),
    )


def assume(formula: Formula, word: str) -> AccessDecision:
    """Return a decision that holds unless data refuses it that was not collected."""
    atom = build_atom(UNCOLLECTED_PROTECTION, "Allows", (word,))
    return AccessDecision(conjoin_hops(formula, atom), assuming=(word,))


def _join_unique_words(words: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Join words without repetition."""
    return tuple(dict.fromkeys(word for each in words for word in each))
