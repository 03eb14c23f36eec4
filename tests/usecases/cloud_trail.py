"""CloudTrail records and account details for tests of policies from logs."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reporter"


def build_record(
    number: int,
    name: str,
    *resources: str,
    role: str = ROLE,
    days: float = 1.0,
    error: str = "",
    parameters: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Build the record of a call, e.g. `s3:GetObject`, some days ago."""
    service, _, event = name.partition(":")
    short = role.rpartition("/")[2]
    when = datetime.now(UTC) - timedelta(days=days, seconds=number % 1000)
    record: dict[str, object] = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:run",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{short}/run",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIARTX3GSDSRRFJNQSQ",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": role,
                    "accountId": ACCOUNT,
                    "userName": short,
                }
            },
        },
        "eventTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": event,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": dict(parameters or {}),
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }
    if resources:
        record["resources"] = [
            {"ARN": each, "accountId": ACCOUNT} for each in resources
        ]
    if error:
        record["errorCode"] = error
    return record


def write_trail(folder: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """Write records as one log file."""
    folder.mkdir(exist_ok=True)
    file = folder / "trail.json"
    file.write_text(json.dumps({"Records": list(records)}))
    return file
