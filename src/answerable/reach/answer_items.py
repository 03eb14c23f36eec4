"""Build the items of permission documents from formulas, statements and paths."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from answerable.model.documents.shared_shapes import (
    ConditionItem,
    ConditionSetItem,
    DeterminingStatementItem,
    PathItem,
    ReachItem,
)
from answerable.reach.formula import ConditionAtom, Formula, Verdict
from answerable.reach.platform import DeterminingStatement, PathHop

# Returns the author of a condition's key (`platform`, `operation`, `caller`, `depends`)
# and a text on who can satisfy it.
ClassifyAtom = Callable[[ConditionAtom], tuple[str, str]]

# Conditions of steps that lead from GitHub to other platforms.
# Key of a condition -> who asserts it (`platform`, `operation`, `caller`, `depends`), and
# a text on who can satisfy it.
STEP_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "github:approvals": (
        "depends",
        "other people with write access approve the pull request",
    ),
    "github:status-checks": (
        "depends",
        "the required checks or deployments pass for the commit",
    ),
    "github:rule": ("depends", "the commits meet the rule of the ruleset"),
    "github:branch-name": ("caller", "the pusher chooses the name of a new branch"),
    "github:environment-review": (
        "depends",
        "a reviewer of the environment approves the run",
    ),
    "github:deployment-protection-rule": (
        "depends",
        "the protection rule of an app approves the run",
    ),
    "github:uncollected-protection": ("platform", "it was not collected"),
    "github:trigger": (
        "caller",
        "an outsider opens a pull request, an issue or a comment",
    ),
    "github:organization-role-edit": (
        "depends",
        "GitHub lets an editor of roles add what it lacks itself",
    ),
    "github:subject-form": ("platform", "the repository's form of the OIDC subject"),
}


def build_condition_alternatives(
    formula: Formula, *, classify: ClassifyAtom
) -> list[ConditionSetItem]:
    """Build the JSON alternatives of undecided conditions, the shortest first."""
    listed = [sorted(alternative) for alternative in formula if alternative]
    if frozenset() in formula:
        return []
    return [
        {"all_of": [_build_condition_item(a, classify) for a in alternative]}
        for alternative in sorted(listed, key=lambda one: (len(one), one))
    ]


def _build_condition_item(atom: ConditionAtom, classify: ClassifyAtom) -> ConditionItem:
    """Build the JSON item for one undecided condition, with who can satisfy it."""
    asserted_by, who = STEP_CONDITIONS.get(atom.key) or classify(atom)
    return {
        "key": atom.key,
        "operator": atom.operator,
        "values": list(atom.values),
        "negated": atom.negated,
        "asserted_by": asserted_by,
        "who": who,
    }


def build_determining_items(
    statements: Iterable[DeterminingStatement],
) -> list[DeterminingStatementItem]:
    """Build a JSON item for each determining statement."""
    return [
        {
            "layer": d.layer,
            "policy": d.policy,
            "statement": d.statement,
            "effect": d.effect,
        }
        for d in statements
    ]


def build_path_hop_item(hop: PathHop, *, classify: ClassifyAtom) -> PathItem:
    """Build the JSON item for one hop of a path."""
    return {
        "from": hop.origin,
        "via": hop.via,
        "to": hop.to,
        "conditions": build_condition_alternatives(hop.formula, classify=classify),
        "determining": build_determining_items(hop.determining),
    }


def build_item_without_statements(
    subject: str,
    action: str,
    resource: str,
    verdict: Verdict,
    path: Sequence[PathItem] = (),
) -> ReachItem:
    """Build the JSON item of an answer that no statement determines."""
    return {
        "subject": subject,
        "action": action,
        "resource": resource,
        "verdict": verdict.value,
        "conditions": [],
        "admin": False,
        "determining": [],
        "path": list(path),
        "assuming": [],
    }
