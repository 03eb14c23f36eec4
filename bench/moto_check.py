"""The check of requests that moto's server makes, on a principal's identity policies.

`moto.iam.access_control` reads each policy of the caller and asks every statement; it
has the documents as text and parses them for each request. It knows Action, NotAction
and Resource; it knows no boundary, takes a condition it cannot see for a denial, and
reads a resource policy only for a role's trust. Run as `python -m bench.moto_check
ACCOUNT POINTS`, it prints the median microseconds of one check.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult

_ROUNDS = 3
Json = dict[str, Any]
Held = dict[str, list[dict[str, str]]]


def held(account: Json) -> Held:
    """Collect the documents of each identity as text, the way moto's backend has them."""
    managed = {
        one["Arn"]: _text(one["PolicyVersionList"][0]["Document"])
        for one in account["Policies"]
    }
    groups = {
        one["GroupName"]: list(_documents(one, "Group", managed))
        for one in account["GroupDetailList"]
    }
    found: Held = {}
    for kind in ("User", "Role"):
        for one in account[f"{kind}DetailList"]:
            documents = list(_documents(one, kind, managed))
            for name in one.get("GroupList", ()):
                documents += groups[name]
            found[one["Arn"]] = [{"policy_document": text} for text in documents]
    return found


def _documents(one: Json, kind: str, managed: dict[str, str]) -> Iterator[str]:
    for inline in one[f"{kind}PolicyList"]:
        yield _text(inline["PolicyDocument"])
    for attached in one["AttachedManagedPolicies"]:
        yield managed[attached["PolicyArn"]]


def _text(document: object) -> str:
    return json.dumps(document)


def permitted(policies: list[dict[str, str]], action: str, resource: str) -> bool:
    """Decide as `IAMRequestBase.check_action_permitted` does."""
    answer = False
    for policy in policies:
        found = IAMPolicy(policy).is_action_permitted(action, resource)
        if found is PermissionResult.DENIED:
            return False
        answer = answer or found is PermissionResult.PERMITTED
    return answer


def main(account: str, asked: str) -> None:
    documents = held(json.loads(Path(account).read_bytes()))
    points = json.loads(Path(asked).read_bytes())
    spent = []
    allowed = 0
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        allowed = sum(permitted(documents[who], what, on) for who, what, on in points)
        spent.append((time.perf_counter() - started) / len(points) * 1e6)
    sys.stdout.write(json.dumps({"us": sorted(spent)[1], "allowed": allowed}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
