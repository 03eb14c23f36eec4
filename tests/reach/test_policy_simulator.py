"""The client of AWS's policy simulator, against answers written down beforehand."""

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from answerable.connectors.aws.policy_simulator import AwsPolicySimulator
from answerable.connectors.aws.simulator_interface import (
    SimulationDeclined,
    SimulationRefusal,
    SimulationResult,
)
from answerable.model.connector import SyncContext
from tests.reach.account_builder import A, user

NOW = 1_764_000_000_000_000_000
ANA = user("ana")
RED = "arn:aws:s3:::red/a"


@pytest.fixture
def stubbed() -> Iterator[tuple[AwsPolicySimulator, Stubber]]:
    """The real client, whose answers are written down beforehand."""
    client = boto3.client(
        "iam", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    context = SyncContext(NOW, str)
    with Stubber(client) as stubber:
        yield AwsPolicySimulator(client, A, context), stubber


ASKED = {
    "PolicySourceArn": ANA,
    "ActionNames": ["s3:GetObject"],
    "ResourceArns": [RED],
}


RESULT = {
    "EvalActionName": "s3:GetObject",
    "EvalResourceName": RED,
    "EvalDecision": "allowed",
    "MatchedStatements": [{"SourcePolicyId": "read"}],
    "MissingContextValues": ["aws:SourceIp"],
    "OrganizationsDecisionDetail": {"AllowedByOrganizations": True},
    "ResourceSpecificResults": [
        {
            "EvalResourceName": RED,
            "EvalResourceDecision": "explicitDeny",
            "MissingContextValues": ["aws:SourceVpc"],
        }
    ],
}


def test_pages_are_followed_and_the_resource_s_own_result_counts(
    stubbed: tuple[AwsPolicySimulator, Stubber],
) -> None:
    simulator, stubber = stubbed
    first = {"EvaluationResults": [], "IsTruncated": True, "Marker": "2"}
    last = {"EvaluationResults": [RESULT], "IsTruncated": False}
    stubber.add_response("simulate_principal_policy", first, ASKED)
    stubber.add_response("simulate_principal_policy", last, {**ASKED, "Marker": "2"})
    found = simulator.simulate(ANA, "s3:GetObject", RED)
    assert found == SimulationResult(
        "explicitDeny", ("aws:SourceIp", "aws:SourceVpc"), ("read",), True
    )
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", SimulationRefusal.DENIED),
        ("Throttling", SimulationRefusal.BUSY),
        ("NoSuchEntity", SimulationRefusal.GONE),
        ("InvalidInput", SimulationRefusal.OTHER),
    ],
)
def test_a_refusal_is_an_answer_of_its_own_kind(
    stubbed: tuple[AwsPolicySimulator, Stubber], code: str, kind: SimulationRefusal
) -> None:
    simulator, stubber = stubbed
    stubber.add_client_error("simulate_principal_policy", code, "secret words")
    found = simulator.simulate(ANA, "s3:GetObject", RED)
    assert isinstance(found, SimulationDeclined)
    assert found.kind is kind
    assert "secret words" not in found.reason


def test_an_answer_without_a_result_and_a_marker_that_repeats_end(
    stubbed: tuple[AwsPolicySimulator, Stubber],
) -> None:
    simulator, stubber = stubbed
    page = {"EvaluationResults": [], "IsTruncated": True, "Marker": "2"}
    stubber.add_response("simulate_principal_policy", page, ASKED)
    stubber.add_response("simulate_principal_policy", page, {**ASKED, "Marker": "2"})
    found = simulator.simulate(ANA, "s3:GetObject", RED)
    assert isinstance(found, SimulationDeclined)
    assert found.kind is SimulationRefusal.EMPTY


def test_a_result_without_a_decision_is_no_denial(
    stubbed: tuple[AwsPolicySimulator, Stubber],
) -> None:
    simulator, stubber = stubbed
    bare = {**RESULT, "EvalDecision": "", "ResourceSpecificResults": []}
    page = {"EvaluationResults": [bare], "IsTruncated": False}
    stubber.add_response("simulate_principal_policy", page, ASKED)
    found = simulator.simulate(ANA, "s3:GetObject", RED)
    assert isinstance(found, SimulationDeclined)
    assert found.kind is SimulationRefusal.EMPTY
