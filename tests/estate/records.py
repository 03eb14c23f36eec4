"""CloudTrail records of the plainest kind, and ways to spoil a file of them."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

ACCOUNT = "111122223333"
MIB = 1 << 20


def record(number: int) -> dict[str, object]:
    """One read of one object; the same number is the same record."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLEEXAMPLE00",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/worker",
            "accountId": ACCOUNT,
            "userName": "worker",
        },
        "eventTime": f"2026-11-03T10:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "test",
        "requestParameters": {"bucketName": "reports", "key": f"{number}.csv"},
        "responseElements": None,
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        "resources": [{"ARN": f"arn:aws:s3:::reports/{number}.csv"}],
    }


def log_file(first: int, count: int) -> bytes:
    """A CloudTrail log file of `count` records."""
    records = [record(first + n) for n in range(count)]
    return json.dumps({"Records": records}).encode()


def line(number: int) -> bytes:
    """A record as a line of JSON lines."""
    return json.dumps(record(number)).encode() + b"\n"


def write_long_line(path: Path, size: int) -> None:
    """Two good lines with one of `size` bytes between them."""
    with path.open("wb") as file:
        file.write(line(1))
        file.write(b'{"eventID": "')
        for _ in range(size // MIB):
            file.write(b"a" * MIB)
        file.write(b'"}\n')
        file.write(line(2))


def gzip_bomb(unfolded: int) -> bytes:
    """A gzip file that opens like a log and unfolds to `unfolded` bytes of spaces."""

    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(9, wbits=31)
        yield packer.compress(b'{"Records": [')
        for _ in range(unfolded // MIB):
            yield packer.compress(b" " * MIB)
        yield packer.compress(b"]}")
        yield packer.flush()

    return b"".join(pieces())


def deep(depth: int) -> bytes:
    """A log file whose one record nests `depth` lists."""
    inside = b"[" * depth + b"]" * depth
    whole = json.dumps(record(1) | {"requestParameters": "HERE"}).encode()
    return b'{"Records": [' + whole.replace(b'"HERE"', inside) + b"]}"


def cut_gzip(first: int, count: int, keep: float) -> bytes:
    """A gzip log file whose end is missing."""
    content = gzip.compress(log_file(first, count), mtime=0)
    return content[: int(len(content) * keep)]
