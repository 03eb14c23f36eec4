"""Law of edits: `what-if` equals a cold run over the edited policies.

Run as `python -m bench --only what-if`. Edits are generated for small accounts, and drawn
from the policies of a generated account of 1,000 principals.
"""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, seed, settings

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.what_if.edit_comparison import EditedGraph, apply_graph_edit
from answerable.reach.aws.what_if.edit_scope import find_scope_of_edit
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    remove_policy_statements,
)
from answerable.reach.platform import Question
from answerable.services.reach.platform_registry import AWS
from bench.figures import BenchFigure, at_least, at_most
from bench.organization.generator import generate_organization

EDITS, QUICK = 1_000, 25
PRINCIPALS, QUICK_PRINCIPALS = 1_000, 40
EDITS_OF_ACCOUNT, QUICK_EDITS_OF_ACCOUNT = 30, 3
# Hypothesis remembers each example, so a run does not grow.
_CHUNK = 250


def run_what_if_law(first: int, edits: int, command: str) -> Iterator[BenchFigure]:
    """Compare the changes after generated edits, for everyone and per identity.

    Args:
        first: Seed of the first edits; each further chunk adds one.
        edits: Edits to generate.
        command: Printed beside each figure.
    """
    counts: list[int] = []
    started = time.perf_counter()
    differences = 0
    try:
        for number in range(-(-edits // _CHUNK)):
            _check_chunk(counts, min(_CHUNK, edits - number * _CHUNK), first + number)
    except AssertionError as error:
        sys.stderr.write(f"what-if: {error}\n")
        differences = 1
    took = time.perf_counter() - started
    size = f"what-if, seed {first}"
    goal = at_least(EDITS, f">= {EDITS:,}") if edits >= EDITS else None
    yield BenchFigure(f"{size}: edits compared", "edits", (len(counts),), command, goal)
    yield BenchFigure(f"{size}: changes compared", "changes", (sum(counts),), command)
    yield BenchFigure(
        "what-if: differences from a cold run",
        "",
        (differences,),
        command,
        at_most(0, "none"),
    )
    yield BenchFigure("what-if: time", "s", (took,), command)
    yield from _compare_edits_of_account(first, command, quick=edits < EDITS)


def _check_chunk(counts: list[int], edits: int, number: int) -> None:
    from tests.reach.test_incremental_update import edits as drawn
    from tests.reach.test_what_if import changes_agree

    @seed(number)
    @settings(
        max_examples=edits,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn())
    def law(states: list[SightedFacts]) -> None:
        counts.append(changes_agree(states))

    law()


def _compare_edits_of_account(
    first: int, command: str, *, quick: bool
) -> Iterator[BenchFigure]:
    """Compare edits of one account, each for the identity that it concerns."""
    size = QUICK_PRINCIPALS if quick else PRINCIPALS
    count = QUICK_EDITS_OF_ACCOUNT if quick else EDITS_OF_ACCOUNT
    started = time.process_time()
    made = generate_organization(size, first, load_catalogue(), single=True)
    compared, differences, changes = compare_drawn_edits(made.facts, first, count)
    about = f"what-if, {size:,} principals, seed {first}"
    yield BenchFigure(f"{about}: edits compared", "edits", (compared,), command)
    yield BenchFigure(f"{about}: changes compared", "changes", (changes,), command)
    yield BenchFigure(
        f"{about}: differences from a cold run",
        "",
        (differences,),
        command,
        at_most(0, "none"),
    )
    took = time.process_time() - started
    yield BenchFigure(f"{about}: processor", "s", (took,), command)


def compare_drawn_edits(
    facts: SightedFacts, first: int, count: int
) -> tuple[int, int, int]:
    """Compare edits of identity and trust policies with cold runs.

    Returns:
        Edits compared, those whose answer differs, and changes compared.
    """
    from tests.reach.account_builder import inventory_of
    from tests.reach.test_what_if import said

    asked = replace(
        AWS.build_permission_query(inventory_of(facts), Question(1)),
        graph=IdentityGraph(compile_accounts(facts, load_catalogue())),
    )
    sids = {each.id: [one.sid for one in each.statements] for each in facts.policies}
    known = sorted(
        (each.target, StatementId(each.policy, sid))
        for each in facts.attachments
        if each.layer in (PolicyLayer.IDENTITY, PolicyLayer.TRUST)
        for sid in sids.get(each.policy, ())
    )
    drawn = random.Random(first).sample(known, min(count, len(known)))
    differences = changes = 0
    for subject, statement in drawn:
        after = remove_policy_statements(facts, [statement])
        graph = IdentityGraph(compile_accounts(after, load_catalogue()))
        get_graph_closure(graph)
        scope = find_scope_of_edit(asked.compiled_accounts, graph.accounts)
        cold = said(EditedGraph(asked, replace(asked, graph=graph), scope), subject)
        warm = said(apply_graph_edit(asked, after), subject)
        differences += warm != cold
        changes += len(warm[0])  # type: ignore[arg-type]  # items
    return len(drawn), differences, changes
