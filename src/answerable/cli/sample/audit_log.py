"""Build a fictional CloudTrail log: two working days, and one hour of exfiltration.

Normal: the report bot reads and writes reports, sometimes through the role
`data-reader`; a pipeline deploys. Then the bot's key creates a role, assumes it, copies
customer data out, and deletes the role.
"""

import gzip
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from answerable.cli.sample.account import (
    ACCOUNT,
    CI_DEPLOY,
    CUSTOMER_BUCKET,
    DATA_READER,
    DELETED_ROLE,
    OIDC,
    REPORT_BOT,
    REPORT_BUCKET,
    REPORT_KEY,
)
from answerable.cli.sample.fake_access_keys import make_access_key_id, make_fake_secret

FOREIGN_BUCKET = "arn:aws:s3:::example-drop-zone"
_SEED = 7
Json = Mapping[str, object]


@dataclass(slots=True)
class _RecordBuilder:
    """Builder of CloudTrail records; `caller` is a userIdentity element."""

    random: random.Random
    records: list[Json] = field(default_factory=list)

    def add_record(
        self,
        at: datetime,
        caller: Json,
        call: str,
        parameters: Json | None = None,
        response: Json | None = None,
        resource: str = "",
    ) -> None:
        """Append a CloudTrail record of a call; `call` is `service:Action`."""
        service, _, name = call.partition(":")
        record: dict[str, object] = {
            "eventVersion": "1.09",
            "userIdentity": caller,
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "198.51.100.24",
            "userAgent": "warehouse-mcp/1.4",
            "requestParameters": parameters,
            "responseElements": response,
            "requestID": self._make_uuid(),
            "eventID": self._make_uuid(),
            "readOnly": name.startswith(("Get", "List", "Head")),
            "eventType": "AwsApiCall",
            "managementEvent": service != "s3",
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Data" if service == "s3" else "Management",
        }
        if resource:
            record["resources"] = [{"ARN": resource, "accountId": ACCOUNT}]
        self.records.append(record)

    def add_s3_call(
        self, at: datetime, caller: Json, name: str, bucket: str, key: str
    ) -> None:
        """Append a call on an S3 object."""
        parameters = {"bucketName": bucket.rpartition(":")[2], "key": key}
        self.add_record(at, caller, f"s3:{name}", parameters, None, f"{bucket}/{key}")

    def add_assume_role(
        self, at: datetime, caller: Json, role: str, session: str
    ) -> Json:
        """Record an AssumeRole call and return the new session as a caller."""
        key = make_access_key_id(ACCOUNT, f"{role} {at}", "ASIA")
        name = role.rpartition("/")[2]
        web = caller.get("type") == "WebIdentityUser"
        self.add_record(
            at,
            caller,
            "sts:AssumeRoleWithWebIdentity" if web else "sts:AssumeRole",
            {"roleArn": role, "roleSessionName": session, "durationSeconds": 3600},
            {
                "credentials": {
                    "accessKeyId": key,
                    "sessionToken": make_fake_secret(key, 64),
                    "expiration": (at + timedelta(hours=1)).strftime(
                        "%b %d, %Y, %I:%M:%S %p"
                    ),
                },
                "assumedRoleUser": {
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"
                },
            },
            role,
        )
        return _build_session(role, key, session, at)

    def _make_uuid(self) -> str:
        """Make the next reproducible event id."""
        digits = f"{self.random.getrandbits(128):032x}"
        cuts = (0, 8, 12, 16, 20, 32)
        return "-".join(digits[a:b] for a, b in pairwise(cuts))


def _build_session(role: str, key: str, session: str, at: datetime) -> Json:
    """Build the userIdentity element of an assumed role session."""
    name = role.rpartition("/")[2]
    return {
        "type": "AssumedRole",
        "principalId": f"{make_access_key_id(ACCOUNT, name, 'AROA')}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "arn": role,
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {
                "creationDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "mfaAuthenticated": "false",
            },
        },
    }


_BOT: Json = {
    "type": "IAMUser",
    "principalId": make_access_key_id(ACCOUNT, "report-bot", "AIDA"),
    "arn": REPORT_BOT,
    "accountId": ACCOUNT,
    "accessKeyId": REPORT_KEY,
    "userName": "report-bot",
}
_PIPELINE: Json = {
    "type": "WebIdentityUser",
    "principalId": f"{OIDC}:sts.amazonaws.com:repo:example-corp/agents:ref:main",
    "userName": "repo:example-corp/agents:ref:refs/heads/main",
    "identityProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{OIDC}",
}


def _add_working_day(builder: _RecordBuilder, start: datetime) -> None:
    """Append eight hours of normal reads, writes and a deployment."""
    at = start
    for hour in range(8):
        at = start + timedelta(hours=hour)
        for page in range(6):
            at += timedelta(seconds=builder.random.randrange(20, 200))
            builder.add_s3_call(
                at, _BOT, "GetObject", REPORT_BUCKET, f"in/{hour}-{page}.csv"
            )
        builder.add_s3_call(at, _BOT, "PutObject", REPORT_BUCKET, f"out/{hour}.html")
        if hour % 4 == 1:
            reader = builder.add_assume_role(at, _BOT, DATA_READER, "weekly-report")
            for part in range(3):
                at += timedelta(seconds=9)
                builder.add_s3_call(
                    at, reader, "GetObject", CUSTOMER_BUCKET, f"summary/{part}.parquet"
                )
    runner = builder.add_assume_role(at, _PIPELINE, CI_DEPLOY, "GitHubActions")
    builder.add_record(
        at + timedelta(seconds=30),
        runner,
        "lambda:UpdateFunctionCode20150331v2",
        {"functionName": "report-mailer"},
        None,
        f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:report-mailer",
    )


def _add_exfiltration(builder: _RecordBuilder, start: datetime) -> None:
    """Append the attack: create a role, assume it, copy data out, delete the role."""
    name = DELETED_ROLE.rpartition("/")[2]
    made = {"role": {"arn": DELETED_ROLE, "roleName": name}}
    builder.add_record(start, _BOT, "iam:CreateRole", {"roleName": name}, made)
    at = start + timedelta(seconds=4)
    builder.add_record(
        at, _BOT, "iam:PutRolePolicy", {"roleName": name, "policyName": "all"}
    )
    at += timedelta(seconds=11)
    thief = builder.add_assume_role(at, _BOT, DELETED_ROLE, "weekly-report")
    for part in range(40):
        at += timedelta(seconds=2)
        key = f"customers/2026/part-{part:04}.parquet"
        builder.add_s3_call(at, thief, "GetObject", CUSTOMER_BUCKET, key)
        builder.add_s3_call(at, thief, "PutObject", FOREIGN_BUCKET, f"p/{part:04}")
    at += timedelta(minutes=3)
    builder.add_record(at, _BOT, "iam:DeleteRole", {"roleName": name})


def iterate_records(now: datetime) -> Iterator[tuple[str, Json]]:
    """Yield (day, CloudTrail record) in time order, ending shortly before `now`."""
    trail = _RecordBuilder(random.Random(_SEED))  # noqa: S311 - sample data, fixed seed
    for back in (2, 1):
        _add_working_day(trail, now - timedelta(days=back, hours=2, minutes=30))
    _add_exfiltration(trail, now - timedelta(hours=2, minutes=30))
    trail.records.sort(key=lambda record: str(record["eventTime"]))
    for record in trail.records:
        yield str(record["eventTime"])[:10], record


def build_log_files(now_ns: int) -> dict[str, bytes]:
    """Build the log files: relative path -> gzip bytes, one CloudTrail file per day."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    days: dict[str, list[Json]] = {}
    for day, record in iterate_records(now):
        days.setdefault(day, []).append(record)
    return {
        f"{ACCOUNT}_CloudTrail_eu-west-1_{day.replace('-', '')}T0000Z.json.gz": (
            gzip.compress(json.dumps({"Records": batch}).encode(), mtime=0)
        )
        for day, batch in days.items()
    }
