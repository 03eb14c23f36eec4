"""CloudTrail files with numbered events."""

import json
from pathlib import Path


def write_log(path: Path, first: int, count: int) -> None:
    """Write a CloudTrail file with events of the numbers `first` and following."""
    records = [
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
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"Records": records}))
