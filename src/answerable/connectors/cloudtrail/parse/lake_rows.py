"""CloudTrail records rebuilt from rows of a lake: OCSF, or tables of CloudTrail itself.

OCSF rows follow the published mapping, "CloudTrail API Activity" 1.1.0 of
https://github.com/ocsf/examples (mappings/markdown/AWS/v1.1.0/CloudTrail), which Security
Lake's source version 2 uses. Tables of CloudTrail have the columns of the Athena User
Guide, "Query AWS CloudTrail logs": the members of a record in lower case.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import msgspec

Row = Mapping[str, object]

# Columns that are read, by the column that tells the kind of table.
OCSF_COLUMNS = (
    "time",
    "metadata",
    "actor",
    "api",
    "cloud",
    "src_endpoint",
    "http_request",
    "resources",
    "unmapped",
    "accountid",
    "accountId",
)
_MEMBERS = (
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "eventCategory",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "tlsDetails",
    "sessionCredentialFromConsole",
)
_NESTED_MEMBERS = (
    "type",
    "principalId",
    "arn",
    "accountId",
    "accessKeyId",
    "userName",
    "sessionContext",
    "invokedBy",
    "identityProvider",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "sessionIssuer",
    "attributes",
    "creationDate",
    "mfaAuthenticated",
    "webIdFederationData",
    "federatedProvider",
    "sourceIdentity",
    "tlsVersion",
)
CLOUDTRAIL_COLUMNS = tuple(name.lower() for name in _MEMBERS)
_SPELLING = {name.lower(): name for name in (*_MEMBERS, *_NESTED_MEMBERS)}
_JSON_MEMBERS = ("requestParameters", "responseElements", "additionalEventData")
_CATEGORIES = ("Management", "Data", "Insight", "NetworkActivity")
_MS = 1000


class LakeRowError(ValueError):
    """The row is no event; the message has no value of the row."""


def rebuild_cloudtrail_row(row: Row, damaged: list[str]) -> bytes:
    """Build the record of a row with CloudTrail's own columns in lower case.

    Args:
        row: The row.
        damaged: Gets the columns with text that is no JSON.

    Raises:
        LakeRowError: `eventtime` is neither text nor a timestamp.
    """
    if not isinstance(row.get("eventtime"), str | datetime | None):
        raise LakeRowError("eventtime is neither text nor a timestamp")
    record = cast("dict[str, object]", _convert_member_names(row))
    for name in _JSON_MEMBERS:
        record[name] = _parse_json(record.get(name), name.lower(), damaged)
    record["resources"] = [
        {**each, "ARN": each.get("arn")}
        for each in cast("list[dict[str, object]]", record.get("resources") or [])
    ]
    return _encode_record(record)


def rebuild_ocsf_row(row: Row, damaged: list[str]) -> bytes | None:
    """Build the CloudTrail record of an OCSF row; None if another product wrote it.

    Args:
        row: The row.
        damaged: Gets the columns with text that is no JSON.

    Raises:
        LakeRowError: No product is named, or `time` is no time.
    """
    metadata = _get_object(row, "metadata")
    product = _get_object(metadata, "product")
    if not product.get("name"):
        raise LakeRowError("metadata.product.name is empty")
    if product["name"] != "CloudTrail":
        return None
    api, cloud = _get_object(row, "api"), _get_object(row, "cloud")
    request, response = _get_object(api, "request"), _get_object(api, "response")
    endpoint = _get_object(row, "src_endpoint")
    category = _get_object(product, "feature").get("name")
    record: dict[str, object] = {
        "userIdentity": _rebuild_user_identity(_get_object(row, "actor")),
        "eventTime": _format_ocsf_time(row.get("time")),
        "eventSource": _get_object(api, "service").get("name"),
        "eventName": api.get("operation"),
        "awsRegion": cloud.get("region"),
        "sourceIPAddress": endpoint.get("ip") or endpoint.get("domain"),
        "vpcEndpointId": endpoint.get("uid"),
        "userAgent": _get_object(row, "http_request").get("user_agent"),
        "errorCode": response.get("error"),
        "requestID": request.get("uid"),
        "requestParameters": _parse_json(
            request.get("data"), "api.request.data", damaged
        ),
        "responseElements": _parse_json(
            response.get("data"), "api.response.data", damaged
        ),
        "eventID": metadata.get("uid"),
        "eventType": metadata.get("event_code"),
        "eventCategory": category if category in _CATEGORIES else None,
        "resources": [
            {"ARN": each.get("uid"), "type": each.get("type")}
            for each in cast("list[Row]", row.get("resources") or [])
        ],
    }
    for name, value in _list_unmapped(row.get("unmapped"), damaged):
        _set_missing(record, name.split("."), value)
    account = _get_object(cloud, "account").get("uid")
    record["recipientAccountId"] = (
        record.get("recipientAccountId")
        or account
        or row.get("accountid")
        or row.get("accountId")
    )
    return _encode_record(record)


def _rebuild_user_identity(actor: Row) -> dict[str, object]:
    """Build `userIdentity` from the actor of an OCSF row."""
    user, session = _get_object(actor, "user"), _get_object(actor, "session")
    # Early mappings had the ARN in `uuid`, later ones have it in `uid`.
    names = [user.get(name) for name in ("uid", "uid_alt", "uuid")]
    texts = [str(each) for each in names if each]
    issuer = session.get("issuer")
    created = session.get("created_time_dt") or session.get("created_time")
    return {
        "type": user.get("type"),
        "principalId": next((t for t in texts if not t.startswith("arn:")), None),
        "arn": next((t for t in texts if t.startswith("arn:")), None),
        "accountId": _get_object(user, "account").get("uid") or user.get("account_uid"),
        "accessKeyId": user.get("credential_uid"),
        "userName": user.get("name"),
        "invokedBy": actor.get("invoked_by"),
        "identityProvider": _get_object(actor, "idp").get("name"),
        "sessionContext": {
            "sessionIssuer": {"arn": issuer} if issuer else None,
            "attributes": {
                "creationDate": _format_time(created),
                "mfaAuthenticated": session.get("is_mfa"),
            },
        }
        if session
        else None,
    }


def _encode_record(record: Mapping[str, object]) -> bytes:
    """Encode a record, the caller before the time as CloudTrail itself writes them."""
    first = {name: record.get(name) for name in ("userIdentity", "eventTime")}
    rest = {name: v for name, v in record.items() if v is not None}
    return msgspec.json.encode(
        {**first, **rest, "eventTime": _format_time(first["eventTime"])}
    )


def _convert_member_names(value: object) -> object:
    """Format the members of a record as CloudTrail does."""
    if isinstance(value, Mapping):
        return {_SPELLING.get(k, k): _convert_member_names(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_convert_member_names(each) for each in value]
    return _format_time(value) if isinstance(value, datetime) else value


def _get_object(row: Row, name: str) -> Row:
    """Return a nested object, empty if there is none."""
    found = row.get(name)
    return found if isinstance(found, Mapping) else {}


def _parse_json(value: object, column: str, damaged: list[str]) -> object:
    """Parse parameters that a table holds as text; the column of other text is noted."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        damaged.append(column)
        return None


def _list_unmapped(value: object, damaged: list[str]) -> list[tuple[str, object]]:
    """List the members that the mapping does not name, by dotted path."""
    value = _parse_json(value, "unmapped", damaged)
    if isinstance(value, Mapping):
        return [(str(name), each) for name, each in value.items()]
    if isinstance(value, list):  # a map of Parquet
        return [(str(each[0]), each[1]) for each in value]
    return []


def _set_missing(record: dict[str, object], path: list[str], value: object) -> None:
    """Set a nested member unless the record has it."""
    *parents, last = path
    for name in parents:
        inner = record.get(name)
        if inner is None:
            inner = record[name] = {}
        if not isinstance(inner, dict):
            return
        record = cast("dict[str, object]", inner)
    if record.get(last) is None:
        record[last] = value


def _format_ocsf_time(value: object) -> str:
    """Format OCSF's `time`: milliseconds since 1970, or a timestamp.

    Raises:
        LakeRowError: It is neither.
    """
    text = _format_time(value) if isinstance(value, int | datetime) else None
    if text is None:
        raise LakeRowError("time is neither milliseconds nor a timestamp")
    return text


def _format_time(value: object) -> str | None:
    """Format a time of a table as CloudTrail writes it, in UTC."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, int):
        try:
            value = datetime.fromtimestamp(value / _MS, UTC)
        except (ValueError, OverflowError, OSError):  # another unit
            return None
    if not isinstance(value, datetime):
        return None
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if value.microsecond else "%Y-%m-%dT%H:%M:%SZ"
    return value.strftime(form)
