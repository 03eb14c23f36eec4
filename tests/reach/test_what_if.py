"""Changes after an edit: those of a cold run, and nothing that still holds falls away."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.presentation.policy_condition_text import shorten_policy_name
from answerable.reach.aws import subject_queries
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.statements import UNCOLLECTED, UNREAD
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.platform import build_policy_edit_from_graphs
from answerable.reach.aws.what_if.edit_comparison import EditedGraph, apply_graph_edit
from answerable.reach.aws.what_if.edit_scope import find_scope_of_edit
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    find_statement_by_printed_name,
)
from answerable.reach.condition_formula import Formula, get_verdict
from answerable.reach.platform import PolicyEdit, Question
from answerable.services.reach.platform_registry import AWS
from answerable.usecases.reach import what_if as flow
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    inventory_of,
    role,
    statement,
    user,
)
from tests.reach.strategies import CALLS
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import edits, generating, slow

BUCKET = "arn:aws:s3:::red"


def warm_and_cold(states: list[SightedFacts]) -> tuple[EditedGraph, EditedGraph]:
    """The edit by the incremental engine, and by a cold run."""
    before, after = states
    inventory = inventory_of(before)
    asked = AWS.build_permission_query(inventory, Question(1))
    asked = replace(asked, graph=IdentityGraph(compiled(before)))
    warm = apply_graph_edit(asked, after)
    graph = IdentityGraph(compiled(after))
    get_graph_closure(graph)
    cold = EditedGraph(
        asked,
        replace(asked, graph=graph),
        find_scope_of_edit(asked.compiled_accounts, graph.accounts),
    )
    return warm, cold


def compare_graphs(edited: EditedGraph, subject: str) -> Document:
    """List the changes between two graphs as the command does."""
    return flow.list_access_differences(
        edited.asked.inventory,
        AWS,
        build_policy_edit_from_graphs(edited),
        Question(1, subject),
        0,
    )


def said(edited: EditedGraph, subject: str) -> list[object]:
    found = compare_graphs(edited, subject)
    return [found.items, found.coverage["not_collected"]]


def changes_agree(states: list[SightedFacts]) -> int:
    """The law, for everybody and for each identity; gives how many changes there are."""
    warm, cold = warm_and_cold(states)
    count = 0
    for subject in ("", *(each.id for each in states[0].identities)):
        found = said(warm, subject)
        assert found == said(cold, subject)
        count += len(found[0])  # type: ignore[arg-type]
    return count


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits())
def test_changes_after_an_edit_are_those_of_a_cold_run(
    states: list[SightedFacts],
) -> None:
    changes_agree(states)


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(edits())
def test_what_falls_away_cannot_be_done_and_what_ends_is_listed(
    states: list[SightedFacts],
) -> None:
    warm, _ = warm_and_cold(states)
    for each in states[0].identities:
        found = compare_graphs(warm, each.id)
        items = found.items
        trusts = warm.asked.compiled_accounts.trusts
        # A list of permissions names the roles that were collected and no other.
        calls = [c for c in CALLS if c[0] != "sts:AssumeRole" or c[1] in trusts]
        for call in calls:
            formulas = [
                subject_queries.answer_subject(
                    asked.graph, each.id, *call, direct=False
                ).formula
                for asked in (warm.asked, warm.after)
            ]
            was, now = map(get_verdict, formulas)
            exact = [
                item
                for item in items
                if (item["action"], item["resource"]) == call
                and item["kind"] == "permission"
            ]
            for item in exact:
                assert (item["before"], item["after"]) == (was, now)
            # What is open for want of a policy or a statement is named by coverage.
            if was != now:
                gaps = set().union(*map(gaps_of, formulas))
                assert items or gaps, (each.id, call, was, now)
                assert items or names(found.coverage, gaps), (each.id, call, gaps)


def gaps_of(formula: Formula) -> set[tuple[str, str]]:
    """Open conditions on policies that were not collected or read, with the policy."""
    return {
        (line.key, name)
        for one in formula
        for line in one
        if line.key in (UNCOLLECTED, UNREAD)
        for name in line.values
    }


def names(coverage: CoverageRecord, gaps: set[tuple[str, str]]) -> bool:
    """Whether a coverage is partial for each unread statement, and names each policy.

    A list of permissions names policies of resources by their kind.
    """
    uncollected = {name for key, name in gaps if key == UNCOLLECTED}
    partial = coverage["partial"] or len(uncollected) == len(gaps)
    kinds = {
        "resource-policies" if name.endswith("#policy") else name
        for name in uncollected
    }
    return partial and kinds <= set(coverage["not_collected"])


def test_an_open_call_of_an_unread_statement_is_not_an_unchanged_one() -> None:
    far, wider = role("far", B), statement("b", action="s3:*", resource=f"{BUCKET}/*")
    states = []
    for limits in ((), (wider,)):
        build = AccountBuilder()
        build.identity(far)
        build.policy(far, "identity", unread=["lost"])
        build.policy(far, "boundary", *limits, policy=f"{far}#boundary")
        states.append(build.facts())
    warm, _ = warm_and_cold(states)
    found = compare_graphs(warm, far)
    assert (found.items, found.coverage["partial"]) == ([], True)


def test_an_open_call_of_an_uncollected_policy_names_the_policy() -> None:
    far, wider = role("far", B), statement("b", action="s3:*", resource=f"{BUCKET}/*")
    states = []
    for limits in ((), (wider,)):
        build = AccountBuilder()
        build.identity(far)
        build.policy(
            far, "identity", policy="arn:aws:iam::aws:policy/p", collected=False
        )
        build.policy(far, "boundary", *limits, policy=f"{far}#boundary")
        states.append(build.facts())
    warm, _ = warm_and_cold(states)
    found = compare_graphs(warm, far)
    assert found.items or "arn:aws:iam::aws:policy/p" in found.coverage["not_collected"]


def test_another_spelling_of_a_condition_key_is_no_change_of_other_identities() -> None:
    """A full run of the edited account meets the spelling of the edit first."""
    states = []
    for limits in ((), ("aws:PrincipalTag/team",)):
        build = AccountBuilder()
        build.identity(role("a"))
        build.identity(user("z"))
        for key in limits:
            bound = statement(
                "b", action="s3:*", resource="*", condition={"StringLike": {key: "r*"}}
            )
            build.policy(role("a"), "boundary", bound, policy=f"{role('a')}#boundary")
        read = statement(
            "r",
            action="s3:GetObject",
            resource=f"{BUCKET}/*",
            condition={"StringLike": {"AWS:PrincipalTag/team": "r*"}},
        )
        build.policy(user("z"), "identity", read)
        states.append(build.facts())
    warm, cold = warm_and_cold(states)
    assert warm.scope == cold.scope
    assert warm.scope.identities == {role("a")}


def shared() -> AccountBuilder:
    """Ana reads a bucket by two policies, and assumes a role by one."""
    build = AccountBuilder()
    build.identity(user("ana"))
    build.identity(user("ben"))
    build.identity(role("admin"))
    read = statement("read", action="s3:GetObject", resource=f"{BUCKET}/*")
    build.policy(user("ana"), "identity", read, policy=f"{user('ana')}#inline/a")
    wide = statement("all", action="s3:Get*", resource="*")
    step = statement("0", action="sts:AssumeRole", resource=role("admin"))
    build.policy(user("ana"), "identity", wide, policy=f"{user('ana')}#inline/b")
    build.policy(user("ana"), "identity", step, policy=f"{user('ana')}#inline/c")
    everything = statement("0", action="*", resource="*")
    build.policy(role("admin"), "identity", everything)
    trusting = statement("0", action="sts:AssumeRole", principal={"AWS": user("ana")})
    build.policy(role("admin"), "trust", trusting)
    build.resource(BUCKET, "s3:bucket", A)
    return build


def asked(build: AccountBuilder, subject: str, **edit: object) -> Document:
    return flow.compare_policy_edit(
        build.inventory(), subject, PolicyEdit(**edit), now=1
    )  # type: ignore[arg-type]


def changes(document: Document) -> list[tuple[object, ...]]:
    return [
        (item["change"], item["subject"], item["action"], item["resource"])
        for item in document.items
    ]


def test_a_permission_that_another_statement_gives_does_not_fall_away() -> None:
    build = shared()
    build.attachments = [
        a for a in build.attachments if a.layer is not PolicyLayer.TRUST
    ]
    found = asked(build, "ana", statements=[f"{user('ana')}#inline/a#read"])
    assert found.items == []


def test_a_path_falls_away_with_what_it_led_to() -> None:
    found = asked(shared(), "ana", statements=[f"{user('ana')}#inline/c#0"])
    assert found.items == []  # the trust names her: her own policies need not say so
    found = asked(shared(), "ana", statements=[f"{role('admin')}#trust#0"])
    step = ("falls-away", user("ana"), "sts:AssumeRole", role("admin"))
    assert step in changes(found)
    lost = found.items[changes(found).index(step)]
    assert lost["admin"] is True
    assert lost["path"][0]["to"] == role("admin")  # type: ignore[index]
    # She reads the bucket by herself, so of everything a part stays.
    assert ("weaker", user("ana"), "* except kms:*", "*") in changes(found)


def test_a_policy_that_is_added_makes_paths_appear(tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text(
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow",'
        f' "Principal": {{"AWS": "{user("ben")}"}}, "Action": "sts:AssumeRole"}}}}'
    )
    found = asked(shared(), "", file=str(file), target=role("admin"))
    assert ("appears", user("ben"), "sts:AssumeRole", role("admin")) in changes(found)
    assert ("falls-away", user("ana"), "sts:AssumeRole", role("admin")) in changes(
        found
    )


def test_a_role_that_an_outsider_enters_no_more_is_listed() -> None:
    build = shared()
    build.identity(role("open"))
    anyone = statement("any", action="sts:AssumeRole", principal="*")
    build.policy(role("open"), "trust", anyone)
    found = asked(build, "", statements=[f"{role('open')}#trust#any"])
    assert ("falls-away", "*", "sts:AssumeRole", role("open")) in changes(found)


def test_an_rcp_that_denies_a_key_ends_what_the_key_allowed() -> None:
    key = f"arn:aws:kms:us-east-1:{A}:key/k"
    build = AccountBuilder()
    build.identity(user("ana"))
    build.organization(A, "o-1", ["r-1"])
    allow = statement("k", action="kms:Decrypt", resource="*")
    build.policy(user("ana"), "identity", allow)
    own = statement("l", action="*", resource="*", principal={"AWS": A})
    build.policy(key, "resource", own)
    before = build.facts()
    everyone = {"AWS": "*"}
    deny = statement(
        "q", effect="Deny", action="kms:*", resource="*", principal=everyone
    )
    build.policy(A, "rcp", deny)
    denied = build.facts()
    rcp = denied.policies[-1]
    before = replace(denied, policies=(*before.policies, replace(rcp, statements=())))
    warm, _ = warm_and_cold([before, denied])
    items = compare_graphs(warm, user("ana")).items
    assert (key, "never") in {(item["resource"], item["after"]) for item in items}


def test_a_subject_that_was_not_collected_is_not_known() -> None:
    build = shared()
    lost = build.identity(user("lost", B), named_only=True)
    found = asked(build, lost, statements=[f"{user('ana')}#inline/a#read"])
    assert [item["change"] for item in found.items] == ["not-known"]


def test_a_policy_that_is_removed_ends_what_it_alone_gave() -> None:
    build = shared()
    found = asked(build, "ben", policies=["b of user/ana"])
    assert found.items == []
    build.attachments = [
        a for a in build.attachments if a.layer is not PolicyLayer.TRUST
    ]
    found = asked(build, "ana", policies=["b of user/ana"])
    assert changes(found) == [
        ("weaker", user("ana"), "s3:Get*", "*"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{user('ana')}#inline/a#read",
        f"{user('ana')}#inline/a read",
        "a of user/ana#read",
        "a of user/ana (statement read)",
        "because identity policy a of user/ana allows it (statement read)",
    ],
)
def test_a_statement_is_named_as_answers_print_it(text: str) -> None:
    found = find_statement_by_printed_name(shared().facts(), text, shorten_policy_name)
    assert found == StatementId(f"{user('ana')}#inline/a", "read")


def test_a_misspelled_statement_gets_the_nearest() -> None:
    facts = shared().facts()
    with pytest.raises(UsageError) as caught:
        find_statement_by_printed_name(
            facts, f"{user('ana')}#inline/a#raed", shorten_policy_name
        )
    assert caught.value.hint == f"did you mean {user('ana')}#inline/a#read?"
    with pytest.raises(UsageError) as caught:
        find_statement_by_printed_name(
            facts, f"{user('anna')}#inline/a#read", shorten_policy_name
        )
    assert caught.value.hint == f"did you mean {user('ana')}#inline/a#read?"


def test_a_printed_name_of_two_accounts_is_ambiguous() -> None:
    build = shared()
    build.identity(user("ana", B))
    other = statement("read", action="s3:GetObject", resource="*")
    build.policy(user("ana", B), "identity", other, policy=f"{user('ana', B)}#inline/a")
    with pytest.raises(AmbiguousError):
        find_statement_by_printed_name(
            build.facts(), "a of user/ana (statement read)", shorten_policy_name
        )


def test_a_trust_policy_is_for_a_role(tmp_path: Path) -> None:
    build = AccountBuilder()
    build.identity(user("ana"))
    build.identity(role("one"))
    file = tmp_path / "trust.json"
    file.write_text(
        '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
        f'"Principal": {{"AWS": "{user("ana")}"}}}}]}}'
    )
    added = PolicyEdit(file=str(file))
    for edit in (added, replace(added, layer="trust")):
        with pytest.raises(UsageError, match="only a role has a trust policy"):
            flow.compare_policy_edit(build.inventory(), user("ana"), edit, now=1)
    on_role = replace(added, target=role("one"))
    found = flow.compare_policy_edit(build.inventory(), user("ana"), on_role, now=1)
    assert found.items
