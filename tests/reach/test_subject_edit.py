"""Statements left out of compiled accounts, or of those restored from tables.

A subject's own changes are those of a cold run.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.account_table_encoding import encode_account_tables
from answerable.reach.aws.compiled.account_tables import restore_accounts_from_tables
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.aws.what_if.edit_comparison import EditedGraph, apply_graph_edit
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    remove_policy_statements,
)
from answerable.reach.aws.what_if.subject_edit import SubjectEdit, open_subject_edit
from answerable.reach.platform import PolicyEdit, Question, SubjectIdentity
from answerable.services.reach.platform_registry import AWS
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    inventory_of,
    role,
    statement,
    user,
)
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import accounts, generating, slow
from tests.reach.test_step_tables import Tables

SUBJECTS = (user("ana"), user("ben"), role("one"))


def ask(facts: SightedFacts) -> QueryContext:
    asked = AWS.build_permission_query(inventory_of(facts), Question(1))
    return replace(asked, graph=IdentityGraph(compiled(facts)))


def open_edit(
    facts: SightedFacts, edit: PolicyEdit, *, restored: bool = False
) -> SubjectEdit:
    """Open an edit as for a snapshot with too many identities."""
    query = replace(ask(facts), direct=True, cut=True)
    if restored:
        accounts = query.compiled_accounts
        tables = Tables(encode_account_tables(accounts))
        graph = IdentityGraph(
            restore_accounts_from_tables(tables, accounts.catalogue, NO_KEYS),
            tagged=query.graph.tagged,
            tagged_policies=query.graph.tagged_policies,
        )
        query = replace(query, graph=graph)
    return open_subject_edit(query, edit)


def list_own_changes(
    edited: EditedGraph | SubjectEdit, subject: str
) -> Sequence[AccessChangeItem]:
    start = SubjectIdentity(subject, IdentityId(subject))
    question = Question(1, subject, identities=(start,), direct=True)
    items = edited.list_permission_changes(question, [start], 0).items
    return [{**each, "assuming": []} for each in items]


seen: Counter[str] = Counter()


@settings(
    max_examples=150, deadline=None, suppress_health_check=slow, phases=generating
)
@given(accounts(), st.data())
def test_the_changes_are_those_of_a_cold_run(
    facts: SightedFacts, data: st.DataObject
) -> None:
    named = [
        StatementId(str(policy.id), one.sid)
        for policy in facts.policies
        for one in policy.statements
    ]
    removed = data.draw(st.lists(st.sampled_from(named), min_size=1, max_size=2))
    edit = PolicyEdit(statements=tuple(map(str, removed)))
    cold = apply_graph_edit(ask(facts), remove_policy_statements(facts, removed))
    lone = open_edit(facts, edit, restored=data.draw(st.booleans()))
    for subject in SUBJECTS:
        expected = list_own_changes(cold, subject)
        assert list_own_changes(lone, subject) == expected, (subject, removed)
        seen.update(each["change"] for each in expected)


def test_the_law_has_seen_changes_of_each_kind() -> None:
    assert {"falls-away", "weaker"} <= seen.keys()


@settings(max_examples=20, deadline=None, suppress_health_check=slow, phases=generating)
@given(accounts())
def test_a_boundary_or_scp_is_not_removed_as_a_whole(facts: SightedFacts) -> None:
    layers = {each.policy: each.layer for each in facts.attachments}
    for policy, layer in layers.items():
        edit = PolicyEdit(policies=(str(policy),))
        if layer in (PolicyLayer.BOUNDARY, PolicyLayer.SCP):
            with pytest.raises(UsageError, match="as a whole"):
                open_edit(facts, edit)


def test_a_role_that_no_longer_trusts_the_account_falls_away() -> None:
    build = AccountBuilder()
    for arn in SUBJECTS:
        build.identity(arn)
    build.policy(user("ana"), "identity", statement("a", action="sts:*", resource="*"))
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": A})
    build.policy(role("one"), "trust", trust)
    facts = build.facts()
    (policy,) = (
        one.policy for one in facts.attachments if one.layer is PolicyLayer.TRUST
    )
    lone = open_edit(facts, PolicyEdit(statements=(f"{policy}#t",)))
    (item,) = list_own_changes(lone, user("ana"))
    assert (item["change"], item["resource"]) == ("falls-away", role("one"))
    assert not list_own_changes(lone, user("ben"))
