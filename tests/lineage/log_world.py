"""Records of all log sources, and random deliveries of them: files, orders, repetitions.

The usual world is consistent: its records tell one history. The disputed records do
not: two issuances of one key, one record with two contents, two agents with one token.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.agent_samples import LOGS
from tests.connectors.logs.samples import K8S, SAMPLES
from tests.lineage.conftest import NOW
from tests.lineage.test_incident import (
    AT,
    KUBECTL,
    gateway_call,
    our_records,
    push,
    rfc3339,
    rows,
    secret_reads,
    trail,
)
from tests.lineage.test_log_joints import KEY, bedrock_call, sign_in

OWN = ("gateway", "sts")  # stored as events; their spools are no log files
ROLE_KEY = "ASIAEXAMPLE000000099"
ROLE = "arn:aws:iam::444455556666:role/deploy"
SESSION = "arn:aws:sts::444455556666:assumed-role/deploy/run"
MOST_FILES = 4  # of one source, usually
Rows = list[dict[str, Any]]


def list_records() -> dict[str, list[Any]]:
    """List the records of each source: the usual ones, and those of the incident."""
    found: dict[str, list[Any]] = {
        name: [each.record] for name, each in SAMPLES.items()
    }
    found |= {name: list(each.records) for name, each in LOGS.items()}
    found["cloudtrail"] = [trail(), sign_in(KEY), bedrock_call("req-1", KEY)]
    found["cloudtrail"] += [*assume_role(), role_call()]
    found["k8s-audit"] += [*secret_reads(), *requested_token()]
    found["github-audit"].append(push())
    found |= {name: list(our_records(name)) for name in OWN}
    # The token of this call was issued by another token service.
    found["gateway"].append(gateway_call(130, 6, KUBECTL, "T9", "j-9"))
    return found


def requested_token() -> list[dict[str, Any]]:
    """Records of a token that a person requests, and of a call with it."""
    extra = "authentication.kubernetes.io/"
    at = {"requestReceivedTimestamp": rfc3339(AT + 80 * 10**9)}
    account = {"resource": "serviceaccounts", "namespace": "apps", "name": "builder"}
    request = {
        **K8S,
        **at,
        "auditID": "request",
        "verb": "create",
        "user": {"username": "ana@corp.example"},
        "objectRef": {**account, "subresource": "token"},
        "annotations": {f"{extra}issued-credential-id": "JTI=j-9"},
        "responseStatus": {"code": 201},
    }
    holder = {"extra": {f"{extra}credential-id": ["JTI=j-9"]}}
    user = {**holder, "username": "system:serviceaccount:apps:builder"}
    return [request, {**K8S, **at, "auditID": "with-token", "user": user}]


def assume_role(key: str = ROLE_KEY) -> list[dict[str, Any]]:
    """Records of one AssumeRole, in both accounts; the first one names the caller."""
    answer = {
        "credentials": {"accessKeyId": key, "expiration": "2026-11-03T10:59:00Z"},
        "assumedRoleUser": {"arn": SESSION},
    }
    common = {
        "eventVersion": "1.08",
        "eventTime": "2026-11-03T10:00:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": "eu-central-1",
        "sharedEventID": "shared-1",
        "requestParameters": {"roleArn": ROLE},
        "responseElements": answer,
    }
    caller = bedrock_call("", KEY)["userIdentity"]
    named = {"userIdentity": caller, "recipientAccountId": "111122223333"}
    unnamed = {
        "userIdentity": {"type": "AWSAccount", "accountId": "111122223333"},
        "recipientAccountId": "444455556666",
    }
    return [
        {**common, **named, "eventID": "e-assume-1"},
        {**common, **unnamed, "eventID": "e-assume-2"},
    ]


def role_call(key: str = ROLE_KEY) -> dict[str, Any]:
    """Record of a call with the key of the assumed role."""
    issuer = {"type": "Role", "arn": ROLE}
    return {
        **bedrock_call("", key),
        "userIdentity": {
            "type": "AssumedRole",
            "arn": SESSION,
            "accountId": "444455556666",
            "accessKeyId": key,
            "sessionContext": {"sessionIssuer": issuer},
        },
        "eventTime": "2026-11-03T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "eventID": "e-role-call",
        "requestID": "r",
        "recipientAccountId": "444455556666",
    }


def list_disputed_records() -> dict[str, list[Any]]:
    """List records that contradict the usual ones."""
    other_caller = {**assume_role()[0], "eventID": "e-assume-3"}
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"}
    other_caller["userIdentity"] = {
        **user,
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLE000000001",
    }
    other_sign_in = json.loads(json.dumps(trail()).replace("ana@", "eve@"))
    first, _ = our_records("gateway")
    second_agent = replace(
        first,
        event_id=build_event_id(first.event_time, "gateway", "r", b"other"),
        agent="agent:declared/other",
        sequence=9,
    )
    return {
        "cloudtrail": [other_caller, {**other_sign_in, "eventID": "e-9"}],
        "k8s-audit": [{**K8S, "verb": "delete"}, {**K8S, "verb": "list"}],
        "gateway": [second_agent],
    }


RECORDS = list_records()


def select_records(
    sources: Sequence[str] = (), *, disputed: bool = False
) -> dict[str, list[Any]]:
    """Select the records of some sources, or of all, with or without the disputed."""
    found = {name: list(each) for name, each in RECORDS.items()}
    for name, more in list_disputed_records().items() if disputed else ():
        found[name] += more
    return {name: found[name] for name in sources or found}


@dataclass(frozen=True)
class Delivery:
    """Files of one source that are ingested together.

    Attributes:
        files: Name and records of each, or one unnamed part of our own records.
    """

    source: str
    files: tuple[tuple[str, tuple[Any, ...]], ...]


def list_whole_logs(
    records: Mapping[str, Sequence[Any]], order: Sequence[str] = ()
) -> list[Delivery]:
    """List one file for each source, in an order."""
    return [
        Delivery(name, (("1.jsonl", tuple(records[name])),))
        for name in order or records
    ]


def split_records(
    records: Mapping[str, Sequence[Any]],
    chance: random.Random,
    most_files: int = MOST_FILES,
) -> list[Delivery]:
    """Split the records of each source into files of any order, size and name.

    Some records are in two files, or twice in one, and some files are in one folder.
    """
    found: list[Delivery] = []
    for source, known in records.items():
        repeated = [] if source in OWN else [e for e in known if chance.random() < 0.3]
        mixed = chance.sample([*known, *repeated], len(known) + len(repeated))
        cuts = sorted(chance.choices(range(len(mixed)), k=most_files - 1))
        parts = [
            tuple(mixed[start:end])
            for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)
            if start < end
        ]
        names = chance.sample(range(100), len(parts))
        files = [(f"{n:02}.jsonl", part) for n, part in zip(names, parts, strict=True)]
        if source not in OWN and chance.random() < 0.5:  # one folder
            found.append(Delivery(source, tuple(files)))
        else:
            found += [Delivery(source, (each,)) for each in files]
    chance.shuffle(found)
    return found


class LogStore:
    """Store that is told deliveries, at a later time each.

    Args:
        store: The store.
        folder: Folder of the files.
        count: How many deliveries the store was told already.
    """

    def __init__(self, store: EvidenceStore, folder: Path, count: int) -> None:
        self.store, self._folder = store, folder
        self._count = count

    def tell(self, delivery: Delivery) -> int:
        """Store the records of a delivery; return how many were new."""
        self._count += 1
        now = NOW + self._count
        if delivery.source in OWN:
            events: list[AuditEvent] = [e for _, part in delivery.files for e in part]
            return self.store.append(events, now).stored
        place = self._folder / f"{self._count:03}-{delivery.source}"
        place.mkdir()
        for name, part in delivery.files:
            (place / name).write_text("\n".join(map(json.dumps, part)))
        source = delivery.source
        options = SAMPLES[source].options if source in SAMPLES else ""
        (item,) = ingest_logs(self.store, [f"{source}:{place}{options}"], now=now).items
        assert item["quarantined"] == 0
        return int(str(item["stored"]))

    def rows(self) -> Rows:
        """Return the chain rows of all events."""
        return rows(self.store)


@contextmanager
def open_log_store(folder: Path, count: int = 0) -> Iterator[LogStore]:
    """Open a new store, or one that was told so many deliveries already."""
    folder.mkdir(exist_ok=bool(count))
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        yield LogStore(store, folder, count)
