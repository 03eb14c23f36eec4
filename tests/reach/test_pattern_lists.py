"""Lists about a resource pattern: bounded parts, and pages."""

from answerable.reach.aws.resource_pattern_answers import FURTHER
from answerable.reach.aws.who_can import MAX_LISTED_PATHS
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import role, statement, user
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
