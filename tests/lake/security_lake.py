"""Tables as Security Lake lays them out, written with pyarrow and pyiceberg.

Rows are OCSF 1.1.0 API Activity (class 6003), https://schema.ocsf.io/1.1.0/classes/api_activity,
mapped as https://github.com/ocsf/examples does (mappings/markdown/AWS/v1.1.0/CloudTrail/API
Activity). Folders are those of the Security Lake User Guide, "Subscriber data access":
aws/SOURCE/VERSION/region=/accountId=/eventDay=YYYYMMDD/.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

TEXT = pa.string()
ACCOUNT = pa.struct([("uid", TEXT)])
SCHEMA = pa.schema(
    [
        pa.field("time", pa.int64()),
        pa.field("time_dt", pa.timestamp("us")),
        pa.field("class_uid", pa.int32()),
        pa.field("activity_name", TEXT),
        pa.field("status", TEXT),
        pa.field(
            "metadata",
            pa.struct(
                [
                    ("uid", TEXT),
                    ("event_code", TEXT),
                    ("version", TEXT),
                    (
                        "product",
                        pa.struct(
                            [("name", TEXT), ("feature", pa.struct([("name", TEXT)]))]
                        ),
                    ),
                ]
            ),
        ),
        pa.field(
            "actor",
            pa.struct(
                [
                    (
                        "user",
                        pa.struct(
                            [
                                ("type", TEXT),
                                ("name", TEXT),
                                ("uid", TEXT),
                                ("uid_alt", TEXT),
                                ("credential_uid", TEXT),
                                ("account", ACCOUNT),
                            ]
                        ),
                    ),
                    (
                        "session",
                        pa.struct(
                            [
                                ("issuer", TEXT),
                                ("created_time_dt", pa.timestamp("us")),
                                ("is_mfa", pa.bool_()),
                            ]
                        ),
                    ),
                    ("invoked_by", TEXT),
                    ("idp", pa.struct([("name", TEXT)])),
                ]
            ),
        ),
        pa.field(
            "api",
            pa.struct(
                [
                    ("operation", TEXT),
                    ("service", pa.struct([("name", TEXT)])),
                    ("request", pa.struct([("uid", TEXT), ("data", TEXT)])),
                    (
                        "response",
                        pa.struct([("error", TEXT), ("message", TEXT), ("data", TEXT)]),
                    ),
                ]
            ),
        ),
        pa.field("cloud", pa.struct([("region", TEXT), ("provider", TEXT)])),
        pa.field("src_endpoint", pa.struct([("ip", TEXT), ("domain", TEXT)])),
        pa.field("http_request", pa.struct([("user_agent", TEXT)])),
        pa.field(
            "resources",
            pa.list_(pa.struct([("uid", TEXT), ("type", TEXT)])),
        ),
        pa.field("unmapped", pa.map_(TEXT, TEXT)),
        pa.field("observables", pa.list_(pa.struct([("name", TEXT), ("value", TEXT)]))),
        pa.field("accountid", TEXT),
        pa.field("region", TEXT),
    ]
)


def to_ocsf(record: dict[str, Any]) -> dict[str, Any]:
    """Map a CloudTrail record to a row of the table."""
    at = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=UTC
    )
    who = record["userIdentity"]
    session = who.get("sessionContext") or {}
    error = record.get("errorCode")
    return {
        "time": int(at.timestamp() * 1000),
        "time_dt": at.replace(tzinfo=None),
        "class_uid": 6003,
        "activity_name": "Read",
        "status": "Failure" if error else "Success",
        "metadata": {
            "uid": record["eventID"],
            "event_code": record["eventType"],
            "version": "1.1.0",
            "product": {
                "name": "CloudTrail",
                "feature": {"name": record["eventCategory"]},
            },
        },
        "actor": {
            "user": {
                "type": who["type"],
                "name": who.get("userName"),
                "uid": who.get("arn"),
                "uid_alt": who.get("principalId"),
                "credential_uid": who.get("accessKeyId"),
                "account": {"uid": who.get("accountId")},
            },
            "session": {"issuer": (session.get("sessionIssuer") or {}).get("arn")},
            "invoked_by": None,
            "idp": {"name": None},
        },
        "api": {
            "operation": record["eventName"],
            "service": {"name": record["eventSource"]},
            "request": {
                "uid": record["requestID"],
                "data": json.dumps(record["requestParameters"]),
            },
            "response": {
                "error": error,
                "message": None,
                "data": json.dumps(record.get("responseElements")),
            },
        },
        "cloud": {"region": record["awsRegion"], "provider": "AWS"},
        "src_endpoint": {"ip": record["sourceIPAddress"], "domain": None},
        "http_request": {"user_agent": record["userAgent"]},
        "resources": [
            {"uid": each["ARN"], "type": each["type"]} for each in record["resources"]
        ],
        "unmapped": {"recipientAccountId": record["recipientAccountId"]},
        "observables": [{"name": "src_endpoint.ip", "value": "198.51.100.7"}],
        "accountid": record["recipientAccountId"],
        "region": record["awsRegion"],
    }


def build_table(records: Sequence[dict[str, Any]]) -> pa.Table:
    """Build the Arrow table of records."""
    return pa.Table.from_pylist([to_ocsf(each) for each in records], schema=SCHEMA)


def write_folders(
    records: Sequence[dict[str, Any]], folder: Path, name: str = "part-0"
) -> list[Path]:
    """Write Parquet files of a name as Security Lake does; return their paths."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in records:
        day = each["eventTime"][:10].replace("-", "")
        place = (
            f"aws/CLOUD_TRAIL_MGMT/2.0/region={each['awsRegion']}"
            f"/accountId={each['recipientAccountId']}/eventDay={day}"
        )
        groups.setdefault(place, []).append(each)
    files = []
    for place, part in groups.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        files.append(folder / place / f"{name}.zstd.parquet")
        parquet.write_table(build_table(part), files[-1], compression="zstd")
    return files
