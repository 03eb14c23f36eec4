"""Actions granted by AWS managed policies, compared with another project's expansion.

The data are no part of the product: `../shared/data/iam/managed-policy-actions` holds
documents and expansions (its README names the origin), the package moto holds documents.

Run as `python -m bench --only expansions`.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from answerable.connectors.formats.iam_policy import parse_policy
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.aws.compiled.statement_interning import StatementInterner
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard, matches_glob
from bench.figures import BenchFigure, BenchRemark, Line, at_least, at_most

REFERENCE_FOLDER = Path("shared") / "data" / "iam" / "managed-policy-actions"
MANAGED = 1_641
# One of their files is older than their catalogue: AWSCodePipeline_FullAccess replaced
# the policy, so it is not expanded any more. Both allow `codepipeline:*`; these actions
# came later, and stand only in the expansion of the newer one.
OLDER = {
    "AWSCodePipelineFullAccess": {
        "codepipeline:listdeployactionexecutiontargets",
        "codepipeline:listruleexecutions",
        "codepipeline:listruletypes",
        "codepipeline:overridestagecondition",
        "codepipeline:rollbackstage",
    }
}
_SEEN = FactProvenance("aws:bench", "bench", WrittenBy.PLATFORM, 1)
ReferenceExpansions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ExpansionDifference:
    """Difference on one policy."""

    policy: str
    ours_alone: frozenset[str]
    theirs_alone: frozenset[str]


@dataclass(slots=True)
class ExpansionComparison:
    """Result of the comparison.

    Attributes:
        policies: How many, all there are.
        differences: Those that do not agree, the known ones aside.
        known: Those that do not agree for a reason that `OLDER_ERAS` states.
        actions: How many actions both catalogues know.
        undocumented: Policies without a document.
    """

    policies: int
    differences: list[ExpansionDifference]
    known: list[ExpansionDifference]
    actions: int
    undocumented: list[str]


class ActionExpansion:
    """Expansion of documents over the actions of a catalogue."""

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self.by_service = {
            service: [f"{service}:{name}" for name in entry.actions]
            for service, entry in catalogue.services.items()
        }
        self.names = [name for some in self.by_service.values() for name in some]
        self.known = frozenset(self.names)
        self.interner = StatementInterner()
        self.matching = cache(self._matching_actions)

    def compile_clauses(self, document: object) -> list[CompiledStatement]:
        """Compile the allow statements of a document."""
        policy = parse_policy(
            document,
            PolicyLayer.IDENTITY,
            policy_id=PolicyId("p"),
            name="p",
            provenance=_SEEN,
        )
        if policy.unread:
            raise ValueError(f"not read: {policy.unread}")
        grants, _ = self.interner.compile_policy_for_layer(policy, PolicyLayer.IDENTITY)
        return [g.clause for g in grants if g.clause.effect is PolicyEffect.ALLOW]

    def granted_actions(self, document: object) -> set[str]:
        """List the known actions that a document's allow statements match."""
        return set().union(*map(self.clause_actions, self.compile_clauses(document)))

    def clause_actions(self, clause: CompiledStatement) -> set[str]:
        """List the known actions that a clause matches, by pattern.

        The same as asking `clause.takes_action` about each, which is 40 times slower.
        """
        hits: set[str] = set()
        for pattern in clause.actions or clause.not_actions:
            hits |= self.matching(pattern)
        return set(self.known - hits) if clause.not_actions else hits

    def _matching_actions(self, pattern: str) -> frozenset[str]:
        service = pattern.partition(":")[0]
        near = (
            self.by_service.get(service, []) if has_no_wildcard(service) else self.names
        )
        return frozenset(name for name in near if matches_glob(pattern, name))


def load_reference(place: Path) -> ReferenceExpansions:
    """Load the expansions of the other project."""
    text = gzip.decompress((place / "effective_actions.json.gz").read_bytes())
    found: ReferenceExpansions = json.loads(text)
    return found


def compare_expansions(
    catalogue: ActionCatalogue, others: ReferenceExpansions
) -> ExpansionComparison:
    """Compare every policy's expansion over the actions in both catalogues."""
    mine = ActionExpansion(catalogue)
    everything = {
        action.lower()
        for entry in others.values()
        for action in entry["effective_actions"]
    }
    both = mine.known & everything
    found = ExpansionComparison(len(others), [], [], len(both), [])
    for name, entry in sorted(others.items()):
        if not entry["document"]:
            found.undocumented.append(name)
            continue
        ours = mine.granted_actions(entry["document"]) & both
        yours = {action.lower() for action in entry["effective_actions"]} & both
        if ours != yours:
            one = ExpansionDifference(
                name, frozenset(ours - yours), frozenset(yours - ours)
            )
            stated = not one.theirs_alone and one.ours_alone == OLDER.get(name)
            (found.known if stated else found.differences).append(one)
    return found


def compare_moto(
    catalogue: ActionCatalogue, others: ReferenceExpansions
) -> tuple[int, list[str]]:
    """Compare moto's documents of the same version with the expansions.

    Returns:
        How many were compared, and the names of those that are not equal.
    """
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    held = json.loads(aws_managed_policies_data)
    same = {
        name: {**entry, "document": held[name]["Document"]}
        for name, entry in others.items()
        if name in held and entry["version"] == held[name]["DefaultVersionId"]
    }
    found = compare_expansions(catalogue, same)
    return found.policies, [one.policy for one in found.differences]


def report_expansions(root: Path, command: str) -> Iterator[Line]:
    """Compare all and print each difference; print nothing without the data."""
    place = root.parent / REFERENCE_FOLDER
    command = f"{command} --only expansions"
    if not place.exists():
        sys.stderr.write(
            f"expansions are left out: no {REFERENCE_FOLDER} beside the project\n"
        )
        return
    catalogue, others = load_catalogue(), load_reference(place)
    found, moto = compare_expansions(catalogue, others), compare_moto(catalogue, others)
    for text in format_comparison(found, moto):
        yield BenchRemark(text, command)
    compared = found.policies - len(found.undocumented)
    what = f"managed policies, expanded over {found.actions:,} actions"
    goal = at_least(MANAGED, f">= {MANAGED:,}")
    yield BenchFigure(f"{what}: compared", "policies", (compared,), command, goal)
    unequal = len(found.differences) + len(moto[1])
    yield BenchFigure(f"{what}: differ", "", (unequal,), command, at_most(0, "none"))
    known = len(found.known)
    yield BenchFigure(f"{what}: differ for a stated reason", "", (known,), command)
    yield BenchFigure(f"{what}: again from moto's documents", "", (moto[0],), command)


def format_comparison(
    found: ExpansionComparison, moto: tuple[int, list[str]]
) -> Iterator[str]:
    """Format the comparison."""
    equal = found.policies - len(found.differences) - len(found.known)
    compared = found.policies - len(found.undocumented)
    yield (
        f"{compared:,} of {found.policies:,} policies compared over {found.actions:,} "
        f"actions: {equal - len(found.undocumented):,} equal, "
        f"{len(found.differences)} differ, {len(found.known)} differ for a stated reason"
    )
    many, unequal = moto
    yield f"{many:,} of them again from moto's documents: {len(unequal)} differ"
    for one in found.known:
        yield f"stated: {one.policy}: {', '.join(sorted(one.ours_alone))}"
    for one in found.differences:
        yield f"differs: {one}"
    for name in found.undocumented:
        yield f"no document: {name}"
    for name in unequal:
        yield f"differs from moto's document: {name}"
