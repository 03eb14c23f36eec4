"""Build the items of permission documents from formulas and paths, and their pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from answerable.model.documents.shared_shapes import (
    ConditionItem,
    ConditionSetItem,
    DeterminingStatementItem,
    PathItem,
    ReachItem,
    TruncationItem,
)
from answerable.model.errors import UsageError
from answerable.reach.condition_formula import ConditionAtom, Formula, Verdict
from answerable.reach.platform import (
    Answer,
    AnswerList,
    DeterminingStatement,
    PageBounds,
    PathHop,
)

# Returns the author of a condition's key (`platform`, `operation`, `caller`, `depends`)
# and a text on who can satisfy it.
ClassifyAtom = Callable[[ConditionAtom], tuple[str, str]]

# Conditions of steps of GitHub and Kubernetes, also in answers of other platforms.
# Key of a condition -> who asserts it (`platform`, `operation`, `caller`, `depends`), and
# a text on who can satisfy it.
STEP_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "github:approvals": (
        "depends",
        "other users with write access approve the pull request",
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
    "github:fork-approval": (
        "depends",
        "the policy of the repository lets the run start without an approval",
    ),
    "github:next-run": ("depends", "the workflow of the caller runs again"),
    "github:organization-role-edit": (
        "depends",
        "GitHub lets a role editor grant permissions that the editor lacks",
    ),
    "github:subject-form": (
        "platform",
        "the repository's format of the OIDC subject claim",
    ),
    "answerable:role-trust": ("platform", "the trust policy was not collected"),
    "kubernetes:admission": (
        "platform",
        "pod security admission, webhooks and policies of pods",
    ),
    "kubernetes:controller": ("platform", "the controller runs and follows the object"),
    "kubernetes:interactive-process": (
        "platform",
        "the attached process reads commands",
    ),
    "kubernetes:issuer": ("platform", "the issuer of the cluster was not collected"),
    "kubernetes:kernel-protection": (
        "platform",
        "seccomp, AppArmor and SELinux of the node allow it",
    ),
    "kubernetes:node": ("platform", "the node that runs the pod"),
    "kubernetes:object-exists": (
        "platform",
        "such an object exists (this kind was not collected)",
    ),
    "kubernetes:pod-created": (
        "platform",
        "a pod is created while the webhook is in place",
    ),
    "kubernetes:root": ("platform", "the process gains root in its container"),
    "kubernetes:server-version": (
        "platform",
        "the version of the cluster is not known",
    ),
    "kubernetes:token-audience": ("depends", "the token was issued for that audience"),
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


def parse_row_cursor(text: str) -> int:
    """Parse the number of rows before a page.

    Raises:
        UsageError: It is malformed.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError("invalid page cursor", "request the first page again")
    return int(text)


def cut_answer_page(
    answers: Sequence[Answer], page: PageBounds, what: str = "rows"
) -> AnswerList:
    """Cut one page; the missing data is that of all answers, not of the page alone.

    Args:
        what: Subject of an answer in the plural: `rows` or `callers`.

    Raises:
        UsageError: The cursor is malformed.
    """
    first = parse_row_cursor(page.cursor or "0")
    end = first + page.rows if page.rows else len(answers)
    cut = tuple(answers[first:end])
    is_cut = end < len(answers)
    return AnswerList(
        cut,
        frozenset[str]().union(*(each.not_collected for each in answers)),
        any(each.unread for each in answers),
        str(end) if is_cut and page.cursor is not None else "",
        len(cut),
        TruncationItem(rows=len(cut), what=what, done=end, of=len(answers))
        if is_cut
        else None,
    )
