"""The same questions to the engine and to AWS's simulator, played by a stand-in."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from answerable.connectors.aws.simulator_interface import (
    SimulationDeclined,
    SimulationRefusal,
    SimulationResult,
)
from answerable.model.coverage import CoverageScope
from answerable.model.documents.shared_shapes import AwsComparisonItem, Document
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.identity import Account
from answerable.model.ids import PolicyId
from answerable.model.inventory import SourceCoverage
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.sighting import SightedFacts
from answerable.usecases.aws_permissions.compare_with_aws import compare_with_simulator
from tests.reach.account_builder import (
    SEEN,
    A,
    AccountBuilder,
    B,
    role,
    statement,
    user,
)

NOW = 1_764_000_000_000_000_000
ANA = user("ana")
RED = "arn:aws:s3:::red/a"
ALLOWED = SimulationResult("allowed", (), ("p",))
REFUSED = SimulationResult("implicitDeny", (), ())


def estate() -> AccountBuilder:
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(
        ANA,
        "identity",
        statement("read", action=["s3:GetObject", "sqs:*"], resource="*"),
        statement("no", effect="Deny", action="sqs:DeleteQueue", resource="*"),
        statement(
            "tls",
            action="s3:PutObject",
            resource="*",
            condition={"Bool": {"aws:SecureTransport": "true"}},
        ),
    )
    return build


class Aws:
    """Answers as it is told; by default what the policies of `estate` say."""

    account = A

    def __init__(
        self,
        answer: Callable[[str], SimulationResult | SimulationDeclined] | None = None,
    ) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self._answer = answer or self._right

    def simulate(
        self, principal: str, action: str, resource: str
    ) -> SimulationResult | SimulationDeclined:
        self.asked.append((principal, action, resource))
        return self._answer(action)

    @staticmethod
    def _right(action: str) -> SimulationResult:
        if action == "s3:PutObject":
            return SimulationResult("implicitDeny", ("aws:SecureTransport",), ())
        reads = action == "s3:GetObject" or action.startswith("sqs:")
        return ALLOWED if reads and action != "sqs:DeleteQueue" else REFUSED


def ask(aws: Aws, build: AccountBuilder | None = None, **options: object) -> Document:
    inventory = (build or estate()).inventory()
    return compare_with_simulator(inventory, now=NOW, simulator=aws, **options)  # type: ignore[arg-type]


def items(document: Document) -> list[AwsComparisonItem]:
    return cast(list[AwsComparisonItem], document.items)


def answered(document: Document) -> list[AwsComparisonItem]:
    return [item for item in items(document) if item["outcome"] != "set-aside"]


def test_the_same_seed_draws_the_same_questions_and_another_others() -> None:
    first, again, other = (
        [
            (item["subject"], item["action"], item["resource"])
            for item in items(ask(Aws(), sample=60, seed=seed))
        ]
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert len(set(first)) == 60


def test_an_engine_and_a_simulator_that_agree_leave_no_difference() -> None:
    document = ask(Aws(), sample=200)
    assert not document.failed
    assert not document.is_partial
    assert {item["outcome"] for item in items(document)} == {"agrees", "set-aside"}
    verdicts = {item["verdict"] for item in items(document)}
    assert verdicts == {"always", "only-if", "never"}


def test_each_difference_is_told_with_the_statements_that_decided_here() -> None:
    document = ask(Aws(lambda action: ALLOWED), action="sqs:*", sample=100)
    differing = [item for item in items(document) if item["outcome"] == "differs"]
    assert document.failed
    assert {item["action"] for item in differing} == {"sqs:DeleteQueue"}
    (found,) = differing[0]["determining"]
    assert found["text"] == "Deny Action sqs:DeleteQueue Resource *"
    assert differing[0]["matched"] == ["p"]


def test_conditions_that_one_side_alone_knows_are_left_open() -> None:
    keys = SimulationResult("allowed", ("aws:CurrentTime",), ())
    document = ask(Aws(lambda action: keys), action="sqs:DeleteQueue", sample=1)
    (item,) = answered(document)
    assert (item["verdict"], item["outcome"]) == ("never", "open")
    assert not document.failed
    document = ask(Aws(lambda action: REFUSED), action="s3:PutObject", sample=3)
    assert {item["outcome"] for item in answered(document)} == {"open"}


@pytest.mark.parametrize(
    ("action", "resource", "why"),
    [
        ("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{B}:q", "across accounts"),
        ("kms:Decrypt", f"arn:aws:kms:us-east-1:{A}:key/1", "key policies"),
        ("sts:AssumeRole", role("red"), "role trust"),
        (
            "s3:GetObject",
            f"arn:aws:s3:us-east-1:{A}:accesspoint/x/object/y",
            "access points",
        ),
    ],
)
def test_what_the_simulator_does_not_look_at_is_set_aside_by_name(
    action: str, resource: str, why: str
) -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(ANA, "identity", statement("s", action=action, resource=resource))
    aws = Aws(lambda action: ALLOWED)
    found = items(ask(aws, build, sample=8, action=action))
    aside = [item for item in found if item["resource"] == resource]
    assert {item["outcome"] for item in aside} == {"set-aside"}
    assert why in aside[0]["reason"]
    assert resource not in [asked[2] for asked in aws.asked]


def test_an_scp_with_conditions_sets_the_account_aside() -> None:
    build = estate()
    build.accounts[A] = Account(A, "", "o-1", ("r-1",), False, SEEN)
    inventory = build.inventory()
    region = statement(
        "eu",
        effect="Deny",
        action="*",
        resource="*",
        condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
    )
    facts = scp(inventory.facts, region)
    document = compare_with_simulator(
        replace(inventory, facts=facts), now=NOW, simulator=Aws(), sample=5
    )
    reasons = {item["reason"] for item in items(document)}
    assert reasons == {"SCPs with conditions are not simulated"}


def scp(
    facts: SightedFacts, *statements: Statement, at: tuple[str, ...] = ("r-1",)
) -> SightedFacts:
    policy = Policy(PolicyId("p-scp"), "p-scp", statements, (), SEEN)
    attached = tuple(
        PolicyAttachment(policy.id, to, PolicyLayer.SCP, "", SEEN) for to in at
    )
    return replace(
        facts,
        policies=(*facts.policies, policy),
        attachments=(*facts.attachments, *attached),
    )


def test_an_scp_that_was_not_collected_explains_a_denial() -> None:
    denied = SimulationResult("implicitDeny", (), (), organizations=False)
    document = ask(Aws(lambda action: denied), action="s3:GetObject", sample=3)
    assert {item["outcome"] for item in answered(document)} == {"open"}
    assert "SCP" in answered(document)[0]["reason"]


@pytest.mark.parametrize(
    ("account", "outcome", "missing"),
    [(A, "differs", []), (B, "open", [f"scp (account {A})"])],
)
def test_scps_of_one_account_say_nothing_of_those_of_another(
    account: str, outcome: str, missing: list[str]
) -> None:
    """An account without a place in the tree is under SCPs that nobody knows."""
    build = estate()
    build.organization(A, "o-1", ("r-1",) if account == A else ())
    build.organization(B, "o-1", ("r-1",))
    everything = statement("all", action="*", resource="*")
    inventory = build.inventory()
    held = (CoverageScope("scp", account),)
    source = SourceCoverage("aws-org:x", "aws-org", 1, (), ("scp",), (), held)
    inventory = replace(
        inventory,
        facts=scp(inventory.facts, everything, at=("r-1", account)),
        coverage=(*inventory.coverage, source),
    )
    denied = SimulationResult("implicitDeny", (), (), organizations=False)
    aws = Aws(lambda action: denied)
    document = compare_with_simulator(
        inventory, now=NOW, simulator=aws, action="sqs:Get*", sample=1
    )
    assert answered(document)[0]["outcome"] == outcome
    assert document.coverage["not_collected"] == missing


def test_a_refusal_of_every_question_ends_it_with_the_permission_to_ask_for() -> None:
    no = SimulationDeclined(
        SimulationRefusal.DENIED, "iam:SimulatePrincipalPolicy is not allowed"
    )
    aws = Aws(lambda action: no)
    with pytest.raises(EnvironmentFailure, match="not allowed") as caught:
        ask(aws, sample=50)
    assert "iam:SimulatePrincipalPolicy" in caught.value.hint
    assert len(aws.asked) == 5


def test_throttling_half_way_keeps_what_was_answered_and_is_partial() -> None:
    busy = SimulationDeclined(SimulationRefusal.BUSY, "AWS throttled the requests")
    aws = Aws(lambda action: Aws._right(action) if len(aws.asked) <= 10 else busy)
    document = ask(aws, sample=40)
    outcomes = [item["outcome"] for item in answered(document)]
    assert outcomes[:10] == ["agrees"] * 10
    assert set(outcomes[10:]) == {"unanswered"}
    assert document.is_partial


def test_a_principal_that_is_gone_is_set_aside_and_the_others_are_asked() -> None:
    gone = SimulationDeclined(SimulationRefusal.GONE, "the principal no longer exists")
    document = ask(Aws(lambda action: gone), sample=20)
    assert {item["outcome"] for item in items(document)} == {"set-aside"}
    assert not document.is_partial


def test_settings_of_an_account_that_was_not_scanned_are_an_error() -> None:
    aws = Aws()
    aws.account = B
    with pytest.raises(UsageError, match=B) as caught:
        ask(aws)
    assert A in caught.value.hint
    with pytest.raises(UsageError, match="at least 1"):
        ask(Aws(), sample=0)
    with pytest.raises(UsageError, match="no action can be sampled"):
        ask(Aws(), action="nosuch:*")


def test_one_subject_alone_can_be_asked_about() -> None:
    build = estate()
    build.policy(
        build.identity(user("ben")),
        "identity",
        statement("s", action="sqs:*", resource="*"),
    )
    aws = Aws()
    ask(aws, build, subject="ana", sample=30)
    assert {asked[0] for asked in aws.asked} == {ANA}


def test_no_network_and_no_boto3_are_refusals_that_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    inventory = estate().inventory()
    with pytest.raises(EnvironmentFailure, match="the request to AWS failed"):
        compare_with_simulator(inventory, now=NOW, endpoint_url="http://127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "answerable.connectors.aws.policy_simulator")
    monkeypatch.delitem(sys.modules, "answerable.connectors.aws_errors")
    monkeypatch.delitem(sys.modules, "answerable.connectors.aws_session")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(EnvironmentFailure, match="boto3") as caught:
        compare_with_simulator(inventory, now=NOW)
    assert "answerable[aws]" in caught.value.hint
