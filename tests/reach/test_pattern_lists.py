"""Lists about a resource pattern: bounded parts, and pages."""

from hypothesis import given, settings

from answerable.model.sighting import SightedFacts
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.resource_pattern_answers import FURTHER, PatternQuery
from answerable.reach.aws.who_can import MAX_LISTED_PATHS, MAX_LISTED_ROLES
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import role, statement, user
from tests.reach.test_account_tables import plain
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import accounts, generating, slow
from tests.reach.test_pattern_answers import DATA, NOW, ana_with, can, listed


def test_parts_through_many_others_are_counted_beyond_the_nearest() -> None:
    build = ana_with(statement("r", action="sts:AssumeRole", resource="*"))
    trusting = statement("t", action="sts:AssumeRole", principal={"AWS": user("ana")})
    for number in range(MAX_LISTED_PATHS + 2):
        reader = build.identity(role(f"reader-{number}"))
        build.policy(reader, "trust", trusting)
        own = f"arn:aws:s3:::customer-data/{number}/*"
        build.policy(
            reader, "identity", statement("p", action="s3:GetObject", resource=own)
        )
    item = next(each for each in listed(build, "s3:GetObject", DATA) if each["path"])
    assert (item["subject"], item["covers"]) == (user("ana"), "part")
    assert len(item["parts"]) == MAX_LISTED_PATHS
    further = [
        condition["values"]
        for alternative in item["conditions"]
        for condition in alternative["all_of"]
        if condition["key"] == FURTHER
    ]
    assert further == [["2"]]
    complete = can(build, "s3:GetObject", DATA)
    assert len(complete["parts"]) == MAX_LISTED_PATHS + 2
    assert FURTHER not in str(complete)


def test_roles_beyond_the_first_are_counted() -> None:
    build = ana_with(statement("r", action="sts:AssumeRole", resource="*"))
    trusting = statement("t", action="sts:AssumeRole", principal={"AWS": user("ana")})
    for number in range(MAX_LISTED_ROLES + 3):
        build.policy(build.identity(role(f"r-{number}")), "trust", trusting)
    call = "sts:AssumeRole", "arn:aws:iam::*:role/r-*"
    (item,) = (each for each in listed(build, *call) if each["subject"] == user("ana"))
    assert (item["covers"], item["verdict"]) == ("part", "only-if")
    assert len(item["parts"]) == MAX_LISTED_ROLES
    assert {part["verdict"] for part in item["parts"]} == {"always"}
    further = [
        condition["values"]
        for alternative in item["conditions"]
        for condition in alternative["all_of"]
        if condition["key"] == FURTHER
    ]
    assert further == [["3"]]
    complete = can(build, *call)
    assert len(complete["parts"]) == MAX_LISTED_ROLES + 3
    assert FURTHER not in str(complete)


@settings(max_examples=60, deadline=None, suppress_health_check=slow, phases=generating)
@given(accounts())
def test_roles_of_the_closure_are_those_of_the_policies(facts: SightedFacts) -> None:
    graph = IdentityGraph(compiled(facts))
    call = "sts:AssumeRole", "*"
    sides = PatternQuery(graph, *call), PatternQuery(graph, *call, most_roles=99)
    for identity in graph.accounts.principals:
        answers = (
            each.answer_for_identity_if_permitted(identity, direct=False)
            for each in sides
        )
        slow_answer, quick_answer = (each and plain(each) for each in answers)
        assert quick_answer == slow_answer, identity


def test_the_pages_of_a_pattern_hold_what_the_list_holds() -> None:
    build = ana_with(statement("r", action="sts:AssumeRole", resource="*"))
    trusting = statement("t", action="sts:AssumeRole", principal={"AWS": user("ana")})
    for name in ("one", "two"):
        reader = build.identity(role(name))
        build.policy(reader, "trust", trusting)
        own = f"arn:aws:s3:::customer-data/{name}/*"
        build.policy(
            reader, "identity", statement("p", action="s3:GetObject", resource=own)
        )
    question, found, after = ("s3:GetObject", DATA), [], ""
    while not found or after:
        part = flow.list_who_can_page(
            build.inventory(), *question, now=NOW, cursor=after, max_rows=1
        )
        assert len(part.document.items) <= 1
        found += [(item["subject"], item["covers"]) for item in part.document.items]
        after = part.after
    whole = listed(build, *question)
    assert sorted(found) == sorted((each["subject"], each["covers"]) for each in whole)
    assert len(found) == 3
