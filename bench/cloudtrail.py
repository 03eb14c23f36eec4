"""Deterministic generator of CloudTrail records.

The shape follows a busy account. A few identities and a few objects do most of the
work (zipf), sessions come from AssumeRole records that stand in the trail, calls mix
data and management events, and every record is about as long as a real one.
"""

import bisect
import gzip
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from answerable.cli.sample.fake_access_keys import make_access_key_id

ACCOUNT = "111122223333"
START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 7
_PER_FILE = 5_000
_USERS = 200
_ROLES = 800
_BUCKETS = 200
_OBJECTS = 50_000
_LIFETIME = timedelta(hours=12)
_RENEWED = 1 / 40
_AGENT = (
    "aws-sdk-python/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux#6.8 md/arch#x86_64 "
    "lang/python#3.12.11 md/pyimpl#CPython cfg/retry-mode#legacy"
)
_CALLS = (
    ("s3", "GetObject", 46),
    ("s3", "PutObject", 12),
    ("s3", "ListObjects", 6),
    ("kms", "Decrypt", 9),
    ("dynamodb", "GetItem", 8),
    ("lambda", "Invoke", 4),
    ("secretsmanager", "GetSecretValue", 3),
    ("ec2", "DescribeInstances", 6),
    ("sts", "GetCallerIdentity", 4),
)


class ZipfSampler:
    """Sampler of 0..n-1 with weight 1 / (k+1)**s for the k-th."""

    def __init__(self, n: int, s: float = 1.1) -> None:
        weights = itertools.accumulate(1 / (k + 1) ** s for k in range(n))
        self.edges = list(weights)

    def draw(self, source: random.Random) -> int:
        return bisect.bisect(self.edges, source.random() * self.edges[-1])


@dataclass(frozen=True, slots=True)
class TrailCaller:
    """Caller of a record: JSON of its `userIdentity`, its key, its name."""

    text: str
    key: str
    arn: str


def user_caller(number: int) -> TrailCaller:
    name = f"worker-{number:03}"
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    key = make_access_key_id(ACCOUNT, name)
    unique = make_access_key_id(ACCOUNT, name, "AIDA")
    return TrailCaller(
        f'{{"type":"IAMUser","principalId":"{unique}","arn":"{arn}",'
        f'"accountId":"{ACCOUNT}","accessKeyId":"{key}","userName":"{name}"}}',
        key,
        arn,
    )


def role_caller(number: int) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/task-{number:03}"


def session_caller(number: int, serial: int, at: str) -> TrailCaller:
    arn = role_caller(number)
    name = arn.rpartition("/")[2]
    key = make_access_key_id(ACCOUNT, f"{name}/{serial}", "ASIA")
    unique = make_access_key_id(ACCOUNT, name, "AROA")
    assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/run-{serial}"
    return TrailCaller(
        f'{{"type":"AssumedRole","principalId":"{unique}:run-{serial}",'
        f'"arn":"{assumed}","accountId":"{ACCOUNT}","accessKeyId":"{key}",'
        f'"sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{unique}",'
        f'"arn":"{arn}","accountId":"{ACCOUNT}","userName":"{name}"}},'
        f'"attributes":{{"creationDate":"{at}","mfaAuthenticated":"false"}}}}}}',
        key,
        assumed,
    )


@dataclass(frozen=True, slots=True)
class TrailSpan:
    """Days that a trail covers."""

    start: datetime = START
    days: int = DAYS


WEEK = TrailSpan()


class TrailGenerator:
    """Generator of records in time order."""

    def __init__(self, seed: int, events: int, span: TrailSpan = WEEK) -> None:
        self.span = span
        self.random = random.Random(seed)
        self.events = events
        self.users = [user_caller(n) for n in range(_USERS)]
        self.sessions: dict[int, tuple[TrailCaller, datetime]] = {}
        self.serial = 0
        self.who = ZipfSampler(_USERS)
        self.which_role = ZipfSampler(_ROLES)
        self.what = ZipfSampler(_OBJECTS)
        self.calls: Sequence[tuple[str, str]] = [
            (service, name) for service, name, weight in _CALLS for _ in range(weight)
        ]

    def records(self) -> Iterator[tuple[str, str]]:
        """Yield (day, JSON text) in time order."""
        step = timedelta(days=self.span.days) / self.events
        for number in range(self.events):
            at = self.span.start + step * number
            stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            yield stamp[:10], self._next_record(at, stamp)

    def _next_record(self, at: datetime, stamp: str) -> str:
        if self.random.random() < 0.35:
            return self._call_record(self.users[self.who.draw(self.random)], stamp)
        wanted = self.which_role.draw(self.random)
        known = self.sessions.get(wanted)
        if known is None or known[1] <= at or self.random.random() < _RENEWED:
            return self._assume_role_record(wanted, at, stamp)
        return self._call_record(known[0], stamp)

    def _assume_role_record(self, wanted: int, at: datetime, stamp: str) -> str:
        self.serial += 1
        new = session_caller(wanted, self.serial, stamp)
        until = at + _LIFETIME
        self.sessions[wanted] = (new, until)
        expires = until.strftime("%b %d, %Y, %I:%M:%S %p")
        token = f"{self.random.getrandbits(1600):0400x}"
        arn = role_caller(wanted)
        return self._record_text(
            self.users[self.who.draw(self.random)],
            stamp,
            "sts",
            "AssumeRole",
            f'{{"roleArn":"{arn}","roleSessionName":"run-{self.serial}",'
            '"durationSeconds":43200}',
            f'{{"credentials":{{"accessKeyId":"{new.key}","sessionToken":"{token}",'
            f'"expiration":"{expires}"}},"assumedRoleUser":{{"assumedRoleId":'
            f'"{make_access_key_id(ACCOUNT, arn, "AROA")}:run-{self.serial}",'
            f'"arn":"{new.arn}"}}}}',
            arn,
        )

    def _call_record(self, caller: TrailCaller, stamp: str) -> str:
        service, name = self.calls[int(self.random.random() * len(self.calls))]
        thing = self.what.draw(self.random)
        bucket = f"data-{thing % _BUCKETS:03}"
        key = f"year=2026/part-{thing:06}.parquet"
        match service:
            case "s3" if name == "ListObjects":
                asks = f'{{"bucketName":"{bucket}","prefix":"year=2026/"}}'
                arn = f"arn:aws:s3:::{bucket}"
            case "s3":
                asks = f'{{"bucketName":"{bucket}","key":"{key}"}}'
                arn = f"arn:aws:s3:::{bucket}/{key}"
            case "kms":
                asks = '{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}'
                arn = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{thing % 64:08x}-0000-4000-8000-000000000000"
            case "dynamodb":
                asks = f'{{"tableName":"orders-{thing % 40}","key":{{"id":"{thing}"}}}}'
                arn = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders-{thing % 40}"
            case "lambda":
                asks = f'{{"functionName":"step-{thing % 90}"}}'
                arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:step-{thing % 90}"
            case "secretsmanager":
                asks = f'{{"secretId":"app/{thing % 70}"}}'
                arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:app/{thing % 70}"
            case _:
                asks, arn = "null", ""
        return self._record_text(caller, stamp, service, name, asks, "null", arn)

    def _record_text(
        self,
        caller: TrailCaller,
        stamp: str,
        service: str,
        name: str,
        asks: str,
        answers: str,
        arn: str,
    ) -> str:
        noise = f"{self.random.getrandbits(256):064x}"
        ids = [
            f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
            for h in (noise[:32], noise[32:])
        ]
        data = service == "s3" and name != "ListObjects"
        reads = "false" if name in ("PutObject", "Invoke", "AssumeRole") else "true"
        named = f',"resources":[{{"accountId":"{ACCOUNT}","ARN":"{arn}"}}]'
        return (
            f'{{"eventVersion":"1.11","userIdentity":{caller.text},'
            f'"eventTime":"{stamp}","eventSource":"{service}.amazonaws.com",'
            f'"eventName":"{name}","awsRegion":"eu-west-1",'
            f'"sourceIPAddress":"10.20.{int(noise[:2], 16)}.{int(noise[2:4], 16)}",'
            f'"userAgent":"{_AGENT}","requestParameters":{asks},'
            f'"responseElements":{answers},"requestID":"{ids[0]}",'
            f'"eventID":"{ids[1]}","readOnly":{reads}{named if arn else ""},'
            f'"eventType":"AwsApiCall","managementEvent":{str(not data).lower()},'
            f'"recipientAccountId":"{ACCOUNT}",'
            f'"eventCategory":"{"Data" if data else "Management"}",'
            '"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":'
            '"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":'
            f'"{service}.eu-west-1.amazonaws.com"}}}}'
        )


@dataclass(frozen=True, slots=True)
class WrittenTrail:
    """A trail on disk; sizes in bytes."""

    events: int
    files: int
    plain: int
    packed: int


def write_trail(
    folder: Path, events: int, seed: int, span: TrailSpan = WEEK
) -> WrittenTrail:
    """Write `events` records as CloudTrail delivers them: gzip JSON, a folder a day."""
    files = plain = packed = 0
    trail = TrailGenerator(seed, events, span)
    for day, records in itertools.groupby(trail.records(), key=lambda pair: pair[0]):
        place = folder.joinpath(
            "AWSLogs", ACCOUNT, "CloudTrail", "eu-west-1", *day.split("-")
        )
        place.mkdir(parents=True, exist_ok=True)
        texts = (text for _, text in records)
        while batch := list(itertools.islice(texts, _PER_FILE)):
            body = b'{"Records":[' + ",".join(batch).encode() + b"]}"
            content = gzip.compress(body, 4, mtime=0)
            name = f"{ACCOUNT}_CloudTrail_eu-west-1_{day.replace('-', '')}_{files:06}"
            (place / f"{name}.json.gz").write_bytes(content)
            files, plain, packed = files + 1, plain + len(body), packed + len(content)
    return WrittenTrail(events, files, plain, packed)
