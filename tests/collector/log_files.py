"""CloudTrail files with numbered events."""

import json
from pathlib import Path


def write_log(path: Path, first: int, count: int) -> None:
    """Write a CloudTrail file with events of the numbers `first` and following."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"Records": make_records(first, count)}))


def append_lines(path: Path, first: int, count: int) -> None:
    """Append numbered events to a file, one per line."""
    with path.open("a") as file:
        for record in make_records(first, count):
            file.write(json.dumps(record) + "\n")


def make_records(first: int, count: int) -> list[dict[str, object]]:
    """Make CloudTrail records of the numbers `first` and following."""
    return [
        {
            "eventVersion": "1.08",
            "eventID": f"00000000-0000-4000-8000-{number:012d}",
            "eventTime": "2026-11-28T10:00:00Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "awsRegion": "eu-central-1",
            "recipientAccountId": "111122223333",
            "userIdentity": {
                "type": "IAMUser",
                "arn": "arn:aws:iam::111122223333:user/report-bot",
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            },
        }
        for number in range(first, first + count)
    ]
