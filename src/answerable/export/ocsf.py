"""Convert findings to OCSF 1.8.0 events, one JSON object a line.

Source: https://schema.ocsf.io/1.8.0/classes/detection_finding. A rule that was not
evaluated is an event with `severity_id` 0 (unknown) and the missing data as its comment.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from answerable.model.documents.finding import FindingItem

VERSION = "1.8.0"
_CATEGORY = 2  # Findings
_CLASS = 2004  # Detection Finding
_ACTIVITY = 1  # Create
_SEVERITIES = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_STATUS = {"open": 1, "suppressed": 3, "not-evaluated": 0}


def iterate_ocsf_lines(
    items: Iterable[FindingItem], now: int, version: str
) -> Iterator[str]:
    """Yield one event a line.

    Args:
        now: Time of the events, UTC nanoseconds.
        version: Version of this product.
    """
    for item in items:
        yield json.dumps(_build_event(item, now // 1_000_000, version))


def _build_event(item: FindingItem, time_ms: int, version: str) -> Mapping[str, object]:
    """Build a Detection Finding."""
    missing = [
        f"missing: {each['what']} ({each['source']})" for each in item["missing"]
    ]
    event: dict[str, object] = {
        "activity_id": _ACTIVITY,
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + _ACTIVITY,
        "time": time_ms,
        "severity_id": _SEVERITIES.get(item["severity"], 0),
        "status_id": _STATUS.get(item["state"], 0),
        "message": item["title"],
        "metadata": {
            "version": VERSION,
            "uid": item["id"],
            "product": {
                "name": "answerable",
                "vendor_name": "answerable",
                "version": version,
            },
        },
        "finding_info": {
            "uid": item["id"],
            "title": item["title"],
            "types": [item["rule"]],
            "desc": "\n".join(each["text"] for each in item["evidence"]),
        },
        "resources": [_build_resource(item)],
        "remediation": {"desc": item["fix"]["text"] or "see the page of the rule"},
        "unmapped": {
            "place": item["place"],
            "state": item["state"],
            "owasp": item["owasp"],
        },
    }
    if missing:
        event["comment"] = "\n".join(missing)
    suppression = item.get("suppression")
    if suppression is not None:
        event["comment"] = suppression["reason"]
    return event


def _build_resource(item: FindingItem) -> Mapping[str, object]:
    """Build the affected resource, with its owner if it is known."""
    resource: dict[str, object] = {"uid": item["subject"], "type": item["platform"]}
    if item["owner"]["person"]:
        resource["owner"] = {
            "uid": item["owner"]["person"],
            "name": item["owner"]["person"],
        }
    return resource
