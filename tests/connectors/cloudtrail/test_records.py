"""What one record says: who, with what, what came of it, and what stays out."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.cloudtrail.parse.record_block import parse_record_block
from answerable.connectors.cloudtrail.parse.records import RecordRefused, parse_record
from answerable.connectors.formats.log_format import make_event_from_row
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.provenance import WrittenBy

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"
CALL = {
    "eventTime": "2026-11-03T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "ListBuckets",
    "eventID": "7f1c2d9e-0000-4000-8000-000000000001",
}


@pytest.fixture(scope="module")
def records() -> dict[int, dict[str, Any]]:
    path = Path(__file__).parents[2] / "data" / "cloudtrail" / "day.json"
    listed = json.loads(path.read_text())["Records"]
    return dict(enumerate(listed, 1))


@pytest.fixture(scope="module")
def events(records: dict[int, dict[str, Any]]) -> dict[int, AuditEvent]:
    return {number: parsed(record) for number, record in records.items()}


def read(record: dict[str, Any]) -> AuditEvent | RecordRefused:
    return parse_record(json.dumps(record).encode(), {})


def parsed(record: dict[str, Any]) -> AuditEvent:
    event = read(record)
    assert isinstance(event, AuditEvent), event
    return event


def why(record: dict[str, Any]) -> str:
    refused = read(record)
    assert isinstance(refused, RecordRefused)
    return refused.reason


def test_a_session_acts_as_the_role_that_issued_it_path_included(events) -> None:
    event = events[5]
    assert event.identity == ROLE
    assert event.session == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/i-am-root"
    assert event.credential == "cred:aws/ASIAIOSFODNN7EXAMPL1"
    assert event.scope == ACCOUNT
    assert event.written_by is WrittenBy.PLATFORM


def test_a_session_without_its_issuer_acts_as_the_role_in_its_arn(records) -> None:
    record = json.loads(json.dumps(records[5]))
    record["userIdentity"]["sessionContext"]["sessionIssuer"] = {}
    assert parsed(record).identity == f"arn:aws:iam::{ACCOUNT}:role/deploy"


def test_the_same_caller_in_two_records_is_read_with_each_records_own_rest() -> None:
    root = {"type": "Root"}
    first = parsed(CALL | {"userIdentity": root, "recipientAccountId": ACCOUNT})
    other = parsed(CALL | {"userIdentity": root, "recipientAccountId": "4" * 12})
    assert first.identity == f"arn:aws:iam::{ACCOUNT}:root"
    assert other.identity == f"arn:aws:iam::{'4' * 12}:root"
    user = {"type": "IAMUser", "accountId": ACCOUNT, "userName": "ana", "arn": USER}
    entered = {
        "userIdentity": user,
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "responseElements": {"ConsoleLogin": "Success"},
    }
    people = [
        parsed(CALL | rest).person
        for rest in ({"userIdentity": user}, entered, {"userIdentity": user})
    ]
    assert people == ["", "person:ana", ""]


def test_what_a_caller_chose_stands_under_self_and_makes_nobody_a_person(
    events,
) -> None:
    facts = dict(events[5].facts)
    assert facts["self:session_name"] == "i-am-root"
    assert facts["self:source_identity"] == "whatever"
    assert facts["self:user_agent"] == "aws-cli/2.22.0"
    assert events[5].person == ""
    assert dict(events[4].facts)["self:issued_session_name"] == "i-am-root"


def test_assume_role_issues_a_credential_for_the_role_until_it_expires(events) -> None:
    event = events[4]
    assert event.issued == "cred:aws/ASIAIOSFODNN7EXAMPL1"
    assert event.issued_to == ROLE
    assert event.issued_until - event.event_time == 3_600 * 10**9
    assert event.action == "sts:AssumeRole"
    assert event.identity == USER


def test_both_spellings_of_an_expiry_are_read(events) -> None:
    assert events[7].issued_until - events[7].event_time == 12 * 3_600 * 10**9


def test_a_federation_token_acts_as_the_user_who_asked(events) -> None:
    assert events[18].issued == "cred:aws/ASIAIOSFODNN7EXAMP10"
    assert events[18].issued_to == USER


def test_a_created_access_key_is_issued_to_its_user_and_never_expires(events) -> None:
    assert events[10].issued == "cred:aws/AKIAIOSFODNN7EXAMPL9"
    assert events[10].issued_to == f"arn:aws:iam::{ACCOUNT}:user/worker"
    assert events[10].issued_until == 0


def test_roles_are_created_and_deleted_under_their_arn(events) -> None:
    assert events[3].created == ROLE
    assert events[16].deleted == f"arn:aws:iam::{ACCOUNT}:role/deploy"  # path untold


def test_a_failed_creation_creates_nothing(records) -> None:
    failed = dict(records[3], errorCode="AccessDenied", responseElements=None)
    assert parsed(failed).created == ""
    assert parsed(failed).outcome is EventOutcome.DENIED


@pytest.mark.parametrize(
    ("number", "person"),
    [
        (1, "person:ana"),
        (2, ""),
        (9, "person:ben@corp.example"),
        (10, ""),  # the admin role's session name is not the provider's word
        (11, ""),  # a workflow is no person
        (12, "person:cleo@corp.example"),
    ],
    ids=["console", "failed-console", "saml", "role", "workflow", "identity-center"],
)
def test_a_person_is_whom_the_platform_signed_in(events, number, person) -> None:
    assert events[number].person == person


@pytest.mark.parametrize(
    ("number", "identity"),
    [
        (7, "lambda.amazonaws.com"),
        (13, "ec2.amazonaws.com"),
        (14, f"arn:aws:iam::{ACCOUNT}:root"),
        (2, ""),
        (
            11,
            "oidc:token.actions.githubusercontent.com/"
            "repo:corp/app:ref:refs/heads/main",
        ),
        (17, "aws:444455556666/AIDAEXAMPLEEXAMPLE99"),
    ],
)
def test_who_acts_without_being_a_user_or_role(events, number, identity) -> None:
    assert events[number].identity == identity


@pytest.mark.parametrize(
    ("number", "action"),
    [
        (5, "s3:GetObject"),
        (14, "cloudwatch:PutMetricData"),
        (15, "lambda:UpdateFunctionCode"),
        (1, "signin:ConsoleLogin"),
    ],
)
def test_actions_are_spelled_as_policies_spell_them(events, number, action) -> None:
    assert events[number].action == action


def test_a_call_that_another_permission_allows_says_which(events) -> None:
    assert events[6].action == "s3:ListObjectsV2"
    assert dict(events[6].facts)["authorised_by"] == "s3:ListBucket"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, EventOutcome.SUCCESS),
        ("AccessDenied", EventOutcome.DENIED),
        ("AccessDeniedException", EventOutcome.DENIED),
        ("Client.UnauthorizedOperation", EventOutcome.DENIED),
        ("ThrottlingException", EventOutcome.ERROR),
    ],
)
def test_the_outcome_follows_the_error_code(records, error, outcome) -> None:
    assert parsed(dict(records[8], errorCode=error)).outcome is outcome


def test_an_object_comes_before_the_bucket_that_holds_it(events) -> None:
    assert events[5].resource == "arn:aws:s3:::reports/2026/q3.csv"
    assert events[5].resource_prefix == "arn:aws:s3:::reports"
    assert events[5].resources == ("arn:aws:s3:::reports",)


@pytest.mark.parametrize(
    ("source", "params", "resource"),
    [
        ("s3", {"bucketName": "b", "key": "k/1"}, "arn:aws:s3:::b/k/1"),
        (
            "secretsmanager",
            {"secretId": "db"},
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db",
        ),
        (
            "secretsmanager",
            {"secretId": "arn:aws:secretsmanager:x:1:secret:db-AbCdEf"},
            "arn:aws:secretsmanager:x:1:secret:db-AbCdEf",
        ),
        ("iam", {"roleName": "r"}, "arn:aws:iam::111122223333:role/r"),
        (
            "iam",
            {"policyArn": "arn:aws:iam::aws:policy/P", "roleName": "r"},
            "arn:aws:iam::aws:policy/P",
        ),
        ("kms", {"keyId": "alias/app"}, "arn:aws:kms:eu-west-1:111122223333:alias/app"),
        (
            "ssm",
            {"name": "/db/password"},
            "arn:aws:ssm:eu-west-1:111122223333:parameter/db/password",
        ),
        (
            "sqs",
            {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/q"},
            "arn:aws:sqs:eu-west-1:111122223333:q",
        ),
        (
            "dynamodb",
            {"tableName": "t"},
            "arn:aws:dynamodb:eu-west-1:111122223333:table/t",
        ),
        (
            "bedrock",
            {"modelId": "vendor.model-v1"},
            "arn:aws:bedrock:eu-west-1::foundation-model/vendor.model-v1",
        ),
        (
            "novel",
            {"thing": "arn:aws:novel:eu-west-1:111122223333:thing/1"},
            "arn:aws:novel:eu-west-1:111122223333:thing/1",
        ),
        ("s3", "not an object", ""),
        ("s3", {"bucketName": ["odd"]}, "arn:aws:s3:::odd"),
        ("s3", {"bucketName": {"odd": 1}}, ""),
    ],
)
def test_a_resource_is_made_from_the_parameters(records, source, params, resource):
    record = dict(
        records[8],
        eventSource=f"{source}.amazonaws.com",
        eventName="Anything",
        requestParameters=params,
    )
    assert parsed(record).resource == resource


def test_every_resource_of_a_call_is_kept(events) -> None:
    stem = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0"
    assert events[12].resource == stem + "aaaaaaaaaaaaaaaa"
    assert events[12].resources == (stem + "bbbbbbbbbbbbbbbb",)


def test_the_small_facts_of_a_call_are_kept_sorted(events) -> None:
    facts = dict(events[5].facts)
    assert facts["vpc_endpoint"] == "vpce-0example"
    assert facts["shared_event_id"] == "00000000-0000-4000-a000-000000000005"
    assert facts["mfa"] == "false"
    assert facts["tls"] == "TLSv1.3"
    assert dict(events[15].facts)["console"] == "true"
    for event in events.values():
        assert list(event.facts) == sorted(event.facts)


def test_no_session_token_is_kept_anywhere(records) -> None:
    for record in records.values():
        assert "EXAMPLESESSIONTOKEN" not in repr(parsed(record))


def test_the_same_record_has_the_same_id_and_another_record_another(records) -> None:
    assert parsed(records[5]).event_id == parsed(records[5]).event_id
    assert len({parsed(record).event_id for record in records.values()}) == 18


def test_a_copy_printed_prettily_is_the_same_record(records) -> None:
    copies = [
        json.dumps(records[4], indent=2),
        json.dumps(records[4]),
        json.dumps(records[4], separators=(",", ":")),
    ]
    read = [parse_record(copy.encode(), {}) for copy in copies]
    assert read[0] == read[1] == read[2]


def test_a_record_without_an_id_is_known_by_its_bytes(records) -> None:
    bare = {k: v for k, v in records[5].items() if k != "eventID"}
    other = dict(bare, sourceIPAddress="198.51.100.8")
    assert parsed(bare).event_id == parsed(bare).event_id != parsed(other).event_id


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b"[1]", "not a CloudTrail record"),
        (b"nonsense", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{}", "it has no eventTime, eventSource, eventName"),
        (b'{"eventTime":1}', "not a CloudTrail record"),
        (b'{"Version":"2012-10-17","Statement":[]}', "it has no"),
        (b'{"a":' * 100_000, "nested too deep"),
    ],
    ids=["list", "text", "bytes", "empty", "type", "policy", "deep"],
)
def test_what_is_no_record_is_refused_with_its_reason(spoilt, reason) -> None:
    refused = parse_record(spoilt, {})
    assert isinstance(refused, RecordRefused)
    assert reason in refused.reason
    assert not refused.skipped


def test_a_reason_never_shows_a_value(records) -> None:
    assert "hunter2" not in why(dict(records[5], eventName=["hunter2"]))
    assert "hunter2" not in why(dict(records[5], eventTime="hunter2"))


@pytest.mark.parametrize(
    "twice",
    [
        ('"arn": "', '"arn": "arn:aws:iam::111122223333:role/other", "arn": "'),
        ('"accessKeyId"', '"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "accessKeyId"'),
        ('"userIdentity"', '"userIdentity": {"type": "Root"}, "userIdentity"'),
        ('"userIdentity"', '"user\\u0049dentity": {"type": "Root"}, "userIdentity"'),
        ('"sessionIssuer"', '"sessionIssuer": {}, "sessionIssuer"'),
        ('"userIdentity"', '"eventTime": "2020-01-01T00:00:00Z", "userIdentity"'),
    ],
    ids=["arn", "key", "identity", "escaped", "issuer", "time"],
)
def test_a_record_that_names_its_caller_or_time_twice_is_refused(
    records, twice
) -> None:
    raw = json.dumps(records[5]).replace(*twice, 1).encode()
    compact = raw.replace(b'": ', b'":').replace(b', "', b',"')
    for refused in parse_record_block([raw, compact], {}, make_event_from_row):
        assert isinstance(refused, RecordRefused)
    refused = parse_record(raw, {})
    assert isinstance(refused, RecordRefused)
    assert "duplicate key" in refused.reason


def test_escapes_alone_are_no_reason_to_refuse(records) -> None:
    agent = dict(records[5], userAgent="\u00e9 \u2028")
    assert isinstance(read(agent), AuditEvent)


def test_a_role_session_name_cannot_pose_as_an_identity_center_person(records) -> None:
    record = json.loads(json.dumps(records[12]))
    issuer = record["userIdentity"]["sessionContext"]["sessionIssuer"]
    issuer["arn"] = f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_0123456789abcdef"
    assert parsed(record).person == ""


def test_another_region_has_its_own_partition(records) -> None:
    gov = dict(records[8], awsRegion="us-gov-west-1")
    assert parsed(gov).resource.startswith(
        "arn:aws-us-gov:secretsmanager:us-gov-west-1"
    )
