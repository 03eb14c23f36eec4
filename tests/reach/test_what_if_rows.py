"""Rows that `what-if` compares: those that an edit may change, and no other."""

import pytest
from hypothesis import given, settings

from answerable.model.sighting import SightedFacts
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.aws.what_if import permission_comparison
from answerable.reach.aws.what_if.edit_comparison import EditedGraph
from answerable.reach.aws.what_if.subject_reach import is_row_single_call
from tests.reach.account_builder import role, statement, user
from tests.reach.test_incremental_update import edits, generating, slow
from tests.reach.test_what_if import asked, changes, said, shared, warm_and_cold


def compare_without_filters(edited: EditedGraph, subject: str) -> list[object]:
    """List the changes where every row of a single call is listed and compared."""
    comparison = permission_comparison.ReachComparison
    may_depend = comparison._may_row_depend_on_edit

    def may_row_depend(
        self: permission_comparison.ReachComparison,
        node: IdentityNode,
        row: PermissionRow,
    ) -> bool:
        return is_row_single_call(row) or may_depend(self, node, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            comparison, "_find_roles_with_changed_assumption", lambda self: None
        )
        patch.setattr(comparison, "_may_row_depend_on_edit", may_row_depend)
        return said(edited, subject)


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits())
def test_rows_that_are_not_compared_do_not_change(states: list[SightedFacts]) -> None:
    warm, _ = warm_and_cold(states)
    for each in states[0].identities:
        assert said(warm, each.id) == compare_without_filters(warm, each.id)


def test_an_edit_of_a_trust_policy_changes_calls_of_the_token_service_alone() -> None:
    build = shared()
    build.identity(role("reader"))
    opened = statement(
        "0",
        action="s3:Get*",
        resource="*",
        condition={"Bool": {"aws:ViaAWSService": "true"}},
    )
    build.policy(role("reader"), "identity", opened)
    trusting = statement("0", action="sts:AssumeRole", principal={"AWS": user("ben")})
    build.policy(role("reader"), "trust", trusting)
    edit = {"statements": [f"{role('reader')}#trust#0"]}
    assert changes(asked(build, role("reader"), **edit)) == []
    gone = ("falls-away", user("ben"), "sts:AssumeRole", role("reader"))
    assert gone in changes(asked(build, user("ben"), **edit))
