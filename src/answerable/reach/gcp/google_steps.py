"""Steps from one principal to another, and how several join."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.model.google_cloud_ids import split_pool_principal
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    conjoin_hops,
    disjoin,
)
from answerable.reach.gcp.access_evaluation import Access, AccessGap
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.gcp.step_rules import DELEGATION
from answerable.reach.platform import DeterminingStatement


@dataclass(frozen=True, slots=True)
class GoogleStep:
    """Step from a principal to another.

    Attributes:
        gaps: Missing data without which the step does not exist.
    """

    origin: str
    target: str
    via: str
    formula: Formula
    statements: tuple[DeterminingStatement, ...]
    gaps: tuple[AccessGap, ...] = ()


def build_step(
    principal: str, target: str, via: str, results: Sequence[Access]
) -> GoogleStep:
    """Build a step that needs several permissions."""
    gaps: dict[AccessGap, None] = {}
    formula: Formula = TRUE
    statements: dict[DeterminingStatement, None] = {}
    for each in results:
        if each.formula == FALSE and not each.gaps:
            return GoogleStep(principal, target, via, FALSE, ())
        if each.formula == FALSE:
            gaps |= dict.fromkeys(each.gaps)
        else:
            formula = conjoin_hops(formula, each.formula)
        statements |= dict.fromkeys(each.statements)
    return GoogleStep(principal, target, via, formula, tuple(statements), tuple(gaps))


def chain_steps(principal: str, first: GoogleStep, last: GoogleStep) -> GoogleStep:
    """Join a delegation with the step of the delegate."""
    via = f"{first.via} on {first.target}, then {last.via}"
    if first.via.partition(" ")[0] != DELEGATION:
        via = last.via
    formula = conjoin_hops(first.formula, last.formula)
    if FALSE in (first.formula, last.formula):
        formula = FALSE
    gaps = tuple(dict.fromkeys((*first.gaps, *last.gaps)))
    if (last.formula == FALSE and not last.gaps) or (formula == FALSE and not gaps):
        gaps = ()
    statements = (*first.statements, *last.statements)
    return GoogleStep(principal, last.target, via, formula, statements, gaps)


def choose_steps(steps: Sequence[GoogleStep]) -> GoogleStep:
    """Choose the surest step; open ones are joined."""
    sure = [each for each in steps if not each.gaps]
    for each in sure:
        if each.formula == TRUE:
            return each
    if not sure:
        return steps[0]
    first = sure[0]
    formula = disjoin(*(each.formula for each in sure))
    return GoogleStep(first.origin, first.target, first.via, formula, first.statements)


def index_pool_members(index: GoogleCloudIndex) -> Mapping[str, list[str]]:
    """Index the principals of workload identity pools that policies name, by pool."""
    found: dict[str, list[str]] = {}
    for member in index.header.federated_members:
        pool, _ = split_pool_principal(member)
        if pool.startswith("projects/"):
            found.setdefault(pool, []).append(member)
    return found
