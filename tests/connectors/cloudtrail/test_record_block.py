"""A block of records gives what its records give one at a time."""

import itertools
import json
from typing import Any

import pytest

from answerable.connectors.cloudtrail.parse.record_block import parse_record_block
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.connectors.formats.log_format import make_event_from_row
from answerable.connectors.formats.timestamps import parse_instant

ROLE = "arn:aws:iam::111122223333:role/task"
CALLER = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:run-1",
    "arn": "arn:aws:sts::111122223333:assumed-role/task/run-1",
    "accountId": "111122223333",
    "accessKeyId": "ASIAEXAMPLEEXAMPLE12",
    "sessionContext": {
        "sessionIssuer": {"principalId": "AROAEXAMPLE", "arn": ROLE},
        "attributes": {"mfaAuthenticated": "false"},
    },
}
RECORD: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": CALLER,
    "eventTime": "2026-11-02T10:00:07Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "10.0.0.1",
    "userAgent": "aws-cli",
    "requestParameters": {"bucketName": "data", "key": "a/b"},
    "responseElements": None,
    "requestID": "r-1",
    "eventID": "e-1",
    "readOnly": True,
    "resources": [{"ARN": "arn:aws:s3:::data/a/b"}],
    "recipientAccountId": "111122223333",
    "eventCategory": "Data",
    "tlsDetails": {"tlsVersion": "TLSv1.3"},
}
# Each member with a value of its own kind, and with others.
CHANGES: dict[str, list[object]] = {
    "userIdentity": [
        None,
        {},
        [],
        {"type": "IAMUser", "arn": "arn:aws:iam::1:user/a", "accountId": "1"},
        {"type": "Root", "accountId": "1", "invokedBy": "x"},
        {**CALLER, "sessionContext": None},
        {**CALLER, "accountId": None},
        {**CALLER, "arn": "a" * 3000},
        {"type": "SAMLUser", "accountId": "1", "userName": "ann@example.com"},
        {**CALLER, "note": {"eventTime": "x"}},
        {**CALLER, "sessionContext": {"sourceIdentity": "ann", "sessionIssuer": None}},
    ],
    "eventTime": ["2026-11-02T10:00", "1969-01-01T00:00:00Z", "never", "", 7],
    "eventSource": ["sts.amazonaws.com", "lambda.amazonaws.com", "", None],
    "eventName": [
        "ConsoleLogin",
        "AssumeRole",
        "CreateFunction20150331",
        "ListObjects",
        "G" * 3000,
        "",
    ],
    "eventType": ["AwsServiceEvent", "AwsApiCall", "AwsConsoleSignIn"],
    "awsRegion": [None, "cn-north-1", 1],
    "sourceIPAddress": [None, "i" * 300],
    "userAgent": [None, "u" * 3000, "u" * 20_000, "ü\u2028\\u0041"],
    "requestParameters": [None, {}, {"functionName": "f", "role": ROLE}, "text"],
    "responseElements": [{"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE34"}}],
    "requestID": [None, ""],
    "eventID": [None, ""],
    "readOnly": ["true", False, None],
    "resources": [
        None,
        [],
        [None],
        ["arn:aws:s3:::data"],
        [{"ARN": "a" * 3000}],
        [{"ARN": "arn:aws:s3:::data"}, {"ARN": "arn:aws:s3:::data/a"}],
    ],
    "recipientAccountId": [None, "444455556666"],
    "eventCategory": ["Management", None],
    "tlsDetails": [None, {}, {"tlsVersion": "TLSv1.2"}],
    "errorCode": ["AccessDenied", "Throttling"],
    "sharedEventID": ["s-1"],
    "vpcEndpointId": ["vpce-1"],
    "sessionCredentialFromConsole": ["true", True],
}
ISSUED = {
    "accessKeyId": "ASIAEXAMPLEEXAMPLE34",
    "expiration": "Nov 2, 2026, 9:00:00 PM",
}
ASKED = {"roleArn": ROLE, "roleSessionName": "run-2"}
# Service, call, request and answer of calls that change which identity acts.
EFFECTS: list[tuple[str, str, object, object]] = [
    ("sts", "AssumeRole", ASKED, {"credentials": ISSUED}),
    ("sts", "AssumeRole", ASKED, {"credentials": {"accessKeyId": "bad"}}),
    ("sts", "AssumeRole", {**ASKED, "sourceIdentity": "ann"}, {"credentials": ISSUED}),
    ("sts", "AssumeRole", {"roleArn": 7}, {"credentials": ISSUED}),
    ("sts", "AssumeRole", ASKED, {"credentials": [ISSUED]}),
    ("sts", "AssumeRole", "text", None),
    ("sts", "AssumeRole", None, {"assumedRoleUser": {"arn": CALLER["arn"]}}),
    ("sts", "AssumeRoot", {"targetPrincipal": "1"}, {"credentials": ISSUED}),
    ("sts", "GetSessionToken", None, {"credentials": ISSUED}),
    ("iam", "CreateAccessKey", None, {"accessKey": {**ISSUED, "userName": "ann"}}),
    ("iam", "CreateRole", {"roleName": "a"}, {"role": {"arn": ROLE}}),
    ("iam", "DeleteUser", {"userName": "a"}, None),
    ("rolesanywhere", "CreateSession", None, {"credentialSet": [{"roleArn": ROLE}]}),
]


def list_records() -> list[bytes]:
    """List records that differ from the usual one in a member, or in their spelling."""
    changed = [
        {**RECORD, member: value}
        for member, values in CHANGES.items()
        for value in values
    ]
    changed += [
        {name: value for name, value in RECORD.items() if name != member}
        for member in RECORD
    ]
    for service, name, request, answer in EFFECTS:
        call = {
            **RECORD,
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "requestParameters": request,
            "responseElements": answer,
        }
        changed += [call, {**call, "resources": None}, {**call, "errorCode": "Denied"}]
    texts = [json.dumps(each, separators=(",", ":")) for each in [RECORD, *changed]]
    usual = texts[0]
    texts += [
        json.dumps(RECORD, indent=1),
        json.dumps(RECORD),
        usual.replace('"eventTime"', '"eventTime":"2020-01-01T00:00:00Z","eventTime"'),
        usual[:-1] + ',"eventTime":"2020-01-01T00:00:00Z"}',
        usual[:-1] + ',"userIdentity":null}',
        usual[:-1] + ',"userIdent\\u0069ty":null}',
        usual.replace('"arn"', f'"arn":"{ROLE}","arn"', 1),
        json.dumps({"CloudTrailEvent": usual}),
        json.dumps([{"eventJson": usual}]),
        usual.replace('{"eventV', '{"eventTime":"2020-01-01T00:00:00Z","eventV'),
        usual.replace('{"eventV', '{"userIdentity":null,"eventV'),
        # White space within the bytes that tell a compact record, after the caller.
        '{"userIdentity":{"type":"Root","accountId":"1"},"eventTime": '
        + usual.partition('"eventTime":')[2],
        usual[:200],
        "[]",
        "7",
    ]
    return [text.encode() for text in texts]


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_block_gives_what_its_records_give_one_at_a_time(repeats: int) -> None:
    raws = list_records() * repeats
    wanted = [parse_record(raw, {}) for raw in raws]
    assert parse_record_block(raws, {}, make_event_from_row) == wanted
    backwards = parse_record_block(raws[::-1], {}, make_event_from_row)
    assert backwards[::-1] == wanted


def test_a_time_is_read_alike_whatever_was_read_before_it() -> None:
    texts = ["2026-11-02T10:00:07Z", "2026-11-02T10:00:08Z", "2026-11-02T10:00"]
    texts += ["2026-11-02T10:05Z", "2026-11-02 10:00", "20261102T100009Z"]
    seconds = [7, 8, 0, 300, 0, 9]
    first = parse_instant(texts[2])
    for order in itertools.permutations(range(len(texts)), 3):
        found = [(parse_instant(texts[at]) - first) // 10**9 for at in order]
        assert found == [seconds[at] for at in order]
    for text in ("2026-11-02T10:00:60Z", "2026-11-02T10:00:7Z"):
        with pytest.raises(ValueError, match=r"second|Invalid"):
            parse_instant(text)
    for text in ("2026-11-02", "2026-11-02T10", "2026-11-02:07Z", "20261102", ""):
        with pytest.raises(ValueError, match="not a date with a time"):
            parse_instant(text)
