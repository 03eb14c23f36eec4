"""A store with an inventory and a trail, and the command line in this process."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/report-job"
KEY = "AKIAIOSFODNN7EXAMPLE"

Run = Callable[..., dict[str, Any]]


def make_record(number: int, **fields: object) -> dict[str, Any]:
    """Make a CloudTrail record of a user's call, one a minute from 2026-11-01."""
    day, minute = divmod(number, 600)
    at = f"2026-11-{day + 1:02}T{minute // 60:02}:{minute % 60:02}:07Z"
    return {
        "eventVersion": "1.09",
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventTime": at,
        "eventSource": "s3.amazonaws.com",
        "eventName": ("GetObject", "PutObject", "ListBuckets")[number % 3],
        "eventType": "AwsApiCall",
        "eventCategory": "Data" if number % 3 < 2 else "Management",
        "awsRegion": ("eu-west-1", "us-east-1")[number % 2],
        "recipientAccountId": ACCOUNT,
        "requestID": f"R{number:08}",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-sdk",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": USER,
            "accountId": ACCOUNT,
            "accessKeyId": KEY,
            "userName": "report-job",
        },
        "requestParameters": {"bucketName": "warehouse", "key": f"{number}.csv"},
        "resources": [
            {
                "type": "AWS::S3::Object",
                "ARN": f"arn:aws:s3:::warehouse/{number}.csv",
            }
        ]
        if number % 3 < 2
        else [],
        **({"errorCode": "AccessDenied"} if number % 7 == 0 else {}),
        **fields,
    }


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command on the store of the test, and return its JSON document."""

    def call(*words: object, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        asked = ["--store", str(tmp_path / "store"), "-o", "json", *map(str, words)]
        ended = main(asked)
        said = capsys.readouterr()
        assert ended == code, said.err
        return json.loads(said.out) if said.out else {"error": said.err}

    return call


@pytest.fixture(scope="session")
def _filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an account, a trail, and a store that read both."""
    folder = tmp_path_factory.mktemp("filled")
    account = {
        "UserDetailList": [
            {
                "UserName": "report-job",
                "UserId": "AIDAEXAMPLE",
                "Arn": USER,
                "Path": "/",
                "CreateDate": "2026-01-01T00:00:00Z",
                "GroupList": [],
            }
        ],
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
    }
    (folder / "account.json").write_text(json.dumps(account))
    trail = {"Records": [make_record(number) for number in range(40)]}
    (folder / "trail.json").write_text(json.dumps(trail))
    on_store = ("--store", str(folder / "store"), "-q")
    assert main([*on_store, "scan", f"aws:{folder / 'account.json'}"]) == 0
    assert main([*on_store, "ingest", f"cloudtrail:{folder / 'trail.json'}"]) == 0
    return folder


@pytest.fixture
def filled(_filled_folder: Path, tmp_path: Path) -> Path:
    """Copy a store with an account's user and forty calls; return its folder."""
    shutil.copytree(_filled_folder, tmp_path, dirs_exist_ok=True)
    return tmp_path / "store"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve S3 and Glue on loopback; return the address."""
    import moto.backends
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    for name in ("s3", "glue"):  # of an earlier server in this process
        moto.backends.get_backend(name).reset()
    _, port = server.get_host_and_port()
    address = f"http://127.0.0.1:{port}"
    for name, value in (
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    import boto3

    boto3.client("s3").create_bucket(
        Bucket="security-lake",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    yield address
    server.stop()
