"""Rows that `what-if` compares: those that an edit may change, and no other."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
            permission_comparison,
            "find_roles_with_changed_assumption",
            lambda before, after: None,
        )
        patch.setattr(comparison, "_may_row_depend_on_edit", may_row_depend)
        return said(edited, subject)


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits())
def test_rows_that_are_not_compared_do_not_change(states: list[SightedFacts]) -> None:
    warm, _ = warm_and_cold(states)
    for each in states[0].identities:
        assert said(warm, each.id) == compare_without_filters(warm, each.id)


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits(), st.integers(0, 20), st.booleans())
def test_rows_that_are_not_compared_do_not_change_where_an_identity_is_removed(
    states: list[SightedFacts], number: int, added: bool
) -> None:
    """Both graphs number their nodes on their own then."""
    before, after = states
    gone = after.identities[number % len(after.identities)].id
    states = [before, without_identity(after, gone)]
    _, cold = warm_and_cold(states[::-1] if added else states)
    for subject in ("", *(each.id for each in states[1].identities)):
        assert said(cold, subject) == compare_without_filters(cold, subject)


def without_identity(facts: SightedFacts, gone: str) -> SightedFacts:
    """Return facts without an identity, its policies and its place in groups."""
    return replace(
        facts,
        identities=tuple(each for each in facts.identities if each.id != gone),
        attachments=tuple(e for e in facts.attachments if e.target != gone),
    )


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


def test_a_right_to_assume_an_added_role_is_a_gained_permission() -> None:
    build = shared()
    build.identity(role("fresh"))
    trusting = statement("0", action="sts:AssumeRole", principal={"AWS": user("ben")})
    build.policy(role("fresh"), "trust", trusting)
    after = build.facts()
    _, cold = warm_and_cold([without_identity(after, role("fresh")), after])
    found = said(cold, user("ben"))
    assert found == compare_without_filters(cold, user("ben"))
    kinds = {each["kind"] for each in found[0]}  # type: ignore[attr-defined]
    assert kinds == {"identity", "permission"}
