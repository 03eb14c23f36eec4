"""An estate restored from tables answers as the one that was compiled."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.model.sighting import SightedFacts
from answerable.reach.aws import subject_queries
from answerable.reach.aws.bulk import closure_tables
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.candidate_callers import list_candidate_callers
from answerable.reach.aws.compiled import account_table_encoding, account_tables
from answerable.reach.aws.condition_keys.self_tagging import (
    list_tag_dependent_statements,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.permission_rows.row_types import parse_row_filter
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import list_all_callers_by_severity
from tests.reach.strategies import estates
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import CALLS, accounts, generating
from tests.reach.test_step_tables import Tables

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def restored(cold: IdentityGraph, given: ContextKeys = NO_KEYS) -> IdentityGraph:
    tables = Tables(account_table_encoding.encode_account_tables(cold.accounts))
    warm = IdentityGraph(
        account_tables.restore_accounts_from_tables(
            tables, cold.accounts.catalogue, given
        )
    )
    steps = Tables(closure_tables.encode_closure_tables(get_graph_closure(cold)))
    warm.restore = lambda graph: closure_tables.restore_closure_from_tables(
        graph, steps
    )
    return warm


def plain(reply: ReachAnswer) -> object:
    row = reply.row and (reply.row.actions, reply.row.resources, reply.row.shown)
    parts = tuple(map(plain, reply.parts))
    return replace(reply, row=None, parts=()), row, parts


def answers(graph: IdentityGraph) -> list[object]:
    """Ask everybody everything: can, who-can, reach."""
    everything = parse_row_filter("*", "*")
    found: list[object] = []
    for one in graph.accounts.principals:
        found += [
            plain(subject_queries.answer_subject(graph, one, *c, direct=False))
            for c in CALLS
        ]
        rows = subject_queries.iterate_subject_rows(
            graph, one, everything, direct=False
        )
        found.append([plain(reply) for reply in rows])
    for call in CALLS:
        for direct in (False, True):
            replies = list_all_callers_by_severity(graph, *call, direct=direct)
            found.append([plain(reply) for reply in replies])
        found.append(list(list_candidate_callers(graph.accounts, *call)))
    return found


@given(st.one_of(accounts(), estates()))
@settings(max_examples=20, deadline=None, suppress_health_check=slow, phases=generating)
def test_a_restored_estate_answers_as_the_compiled_one(facts: SightedFacts) -> None:
    cold = IdentityGraph(compiled(facts))
    warm = restored(cold)
    mine, theirs = warm.accounts, cold.accounts
    assert [c.source_text for c in mine.clauses] == [
        c.source_text for c in theirs.clauses
    ]
    assert list(mine.principals) == list(theirs.principals)
    assert list(mine.trusts) == list(theirs.trusts)
    assert (mine.collected_accounts, mine.access_points) == (
        theirs.collected_accounts,
        theirs.access_points,
    )
    assert list(mine.externally_trusted_roles) == list(theirs.externally_trusted_roles)
    assert list_tag_dependent_statements(warm) is not None
    assert answers(warm) == answers(cold)


@given(st.one_of(accounts(), estates()))
@settings(max_examples=10, deadline=None, suppress_health_check=slow, phases=generating)
def test_every_part_of_a_restored_estate_is_that_of_the_compiled_one(
    facts: SightedFacts,
) -> None:
    cold = compiled(facts)
    warm = restored(IdentityGraph(cold)).accounts
    for name, one in cold.principals.items():
        other = warm.principals[name]
        for part in ("identity", "gaps", "known", "groups", "policies", "collected"):
            assert getattr(other, part) == getattr(one, part)
        assert (other.linked, other.boundary_id) == (one.linked, one.boundary_id)
        assert [g[1:] for g in other.grants] == [g[1:] for g in one.grants]
        assert [level.target for level in other.levels] == [
            level.target for level in one.levels
        ]
    for role, trust in cold.trusts.items():
        other_trust = warm.trusts[role]
        for part in ("account", "gaps", "collected", "plain", "seen"):
            assert getattr(other_trust, part) == getattr(trust, part)
        assert (other_trust.rcps is None) == (trust.rcps is None)
    for part in ("accounts", "resources", "public_access", "written"):
        assert dict(getattr(warm, part)) == dict(getattr(cold, part))
    for part in ("by_service", "by_named", "by_provider"):
        assert dict(getattr(warm, part)) == dict(getattr(cold, part))
