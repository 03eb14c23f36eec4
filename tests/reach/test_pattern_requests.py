"""What is said of all that a pattern matches holds for each of it."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled import resources
from answerable.reach.aws.evaluation import pattern_requests
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.permission_rows import callable_rows
from answerable.reach.aws.permission_rows.row_types import RowFilter
from answerable.reach.condition_formula import get_verdict
from tests.reach import laws
from tests.reach.account_builder import A, AccountBuilder, statement
from tests.reach.layer_accounts import ANA, ANYONE, BUCKET, POINT, ana, asked, estate_of
from tests.reach.mutation import is_caught
from tests.reach.strategies_cases import ReachCase, cases
from tests.reach.strategies_mix import Mix

QUEUE = f"arn:aws:sqs:us-east-1:{A}:q"
THROUGH = f"{POINT}/object/a"
OF_ACCOUNT = f"arn:aws:s3:us-east-1:{A}:*"
BEHIND = [OF_ACCOUNT, "arn:aws:s3:*:*:*/object/a", f"arn:aws:s3:*:{A}:a*"]
DOORS = Mix(organised=0, session=0, endpoint=0, kinds=("s3:accesspoint",))
KEYS = replace(DOORS, boundary=0, lines="DataAccessPoint")


def verdict_of(
    build: AccountBuilder, resource: str, action: str = "s3:GetObject"
) -> str:
    return get_verdict(asked(build, action, resource).formula)


def with_door(build: AccountBuilder) -> AccountBuilder:
    """An access point of the account to its bucket."""
    build.resource(BUCKET, "s3:bucket", A)
    build.resource(POINT, "s3:accesspoint", A, behind=BUCKET)
    return build


def denying_at_the_bucket(build: AccountBuilder) -> AccountBuilder:
    deny = statement(
        "no", effect="Deny", action="s3:*", resource=f"{BUCKET}/*", principal=ANYONE
    )
    build.policy(BUCKET, "resource", deny)
    return with_door(build)


def row_verdict(build: AccountBuilder) -> str:
    """What rows say of the object behind the access point."""
    graph = IdentityGraph(estate_of(build))
    principal = graph.accounts.principals[IdentityId(ANA)]
    rows = callable_rows.list_callable_rows(graph, principal, RowFilter())
    (row,) = [row for row in rows if laws.takes(row, "s3:getobject", THROUGH)]
    return get_verdict(row.formula)


@pytest.mark.parametrize("pattern", [*BEHIND, "*"])
def test_a_pattern_with_an_access_point_asks_the_bucket_behind_it(pattern: str) -> None:
    """S3 User Guide, "Configuring IAM policies for using access points"."""
    build = denying_at_the_bucket(ana())
    assert verdict_of(build, THROUGH) == "never"
    assert verdict_of(build, pattern) == "only-if"


def test_a_pattern_that_holds_the_bucket_too_needs_nothing_more() -> None:
    build = with_door(ana())
    assert verdict_of(build, THROUGH) == "always"
    assert verdict_of(build, "*") == "always"
    assert verdict_of(build, OF_ACCOUNT) == "only-if"


def test_what_is_allowed_on_access_points_alone_is_not_allowed_for_sure() -> None:
    build = with_door(ana(allowed=False))
    build.policy(ANA, "identity", statement("in", action="s3:*", resource=OF_ACCOUNT))
    assert verdict_of(build, THROUGH) == "never"
    assert verdict_of(build, OF_ACCOUNT) == "only-if"
    assert row_verdict(build) == "only-if"


def test_a_row_without_the_bucket_leaves_open_what_comes_through_its_door() -> None:
    build = with_door(ana())
    deny = statement("no", effect="Deny", action="*", resource=f"{BUCKET}/*")
    build.policy(ANA, "identity", deny, policy=f"{ANA}#inline/deny")
    assert verdict_of(build, THROUGH) == "never"
    assert row_verdict(build) == "only-if"


def test_a_pattern_does_not_know_through_which_access_point_a_request_comes() -> None:
    build = with_door(ana(allowed=False))
    direct = {"Null": {"s3:DataAccessPointArn": "true"}}
    everything = statement("in", action="*", resource="*", condition=direct)
    build.policy(ANA, "identity", everything)
    assert verdict_of(build, THROUGH) == "never"
    assert verdict_of(build, "*") == "only-if"
    assert verdict_of(build, f"{BUCKET}/*") == "always"


def test_a_deny_under_a_key_that_nobody_knows_is_as_open_for_a_pattern() -> None:
    build = ana()
    build.policy(ANA, "boundary", statement("all", action="*", resource="*"))
    build.resource(QUEUE, "sqs:queue", A)
    deny = statement(
        "no",
        effect="Deny",
        action="sqs:*",
        resource="*",
        not_principal={"AWS": ANA},
        condition={"StringEquals": {"s3:DataAccessPointAccount": A}},
    )
    build.policy(QUEUE, "resource", deny)
    for resource in (QUEUE, "*"):
        assert verdict_of(build, resource, "sqs:SendMessage") == "only-if"


@pytest.mark.parametrize("mix", [DOORS, KEYS])
def test_what_holds_for_a_pattern_holds_through_access_points(mix: Mix) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(cases(mix))
    def law(case: ReachCase) -> None:
        laws.patterns_agree(case)

    law()


def test_the_law_finds_that_a_bucket_behind_is_left_aside() -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            pattern_requests, "has_conditional_s3_access_points", lambda *_: False
        )

    assert is_caught(plant, cases(DOORS), laws.patterns_agree)


def test_the_law_finds_that_a_pattern_knows_of_no_access_point() -> None:
    known = resources._collect_resource_condition_keys

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            resources,
            "_collect_resource_condition_keys",
            lambda *given, **_: known(*given, without_access_point=True),
        )

    assert is_caught(plant, cases(KEYS), laws.patterns_agree)
