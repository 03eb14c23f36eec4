"""Conditional writes at servers that compare an ETag with its quotes, or without."""

import hashlib
import io
from typing import Any

import pytest
from botocore.exceptions import ClientError

from answerable.connectors.s3_bucket import ObjectStorageBucket
from answerable.model.errors import EnvironmentFailure
from answerable.store.remote_log import RemoteLog

UNKNOWN = f'"{"0" * 32}"'


class MemoryClient:
    """Objects in memory behind the methods of boto3's client.

    Args:
        quoted: `If-Match` is compared with the quotes of the ETag. False: without, as
            Ceph 18 does. None: no `If-Match` matches.
    """

    def __init__(self, *, quoted: bool | None) -> None:
        self._quoted = quoted
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []

    def put_object(self, **words: Any) -> dict[str, str]:
        self.calls.append("put")
        key, found = words["Key"], self.objects.get(words["Key"])
        if "IfNoneMatch" in words and found is not None:
            raise _build_error("PreconditionFailed", 412)
        if "IfMatch" in words:
            etag = "" if found is None or self._quoted is None else _etag(found)
            if words["IfMatch"] != (etag if self._quoted else etag.strip('"')):
                raise _build_error("PreconditionFailed", 412)
        self.objects[key] = words["Body"]
        return {"ETag": _etag(words["Body"])}

    def get_object(self, **words: Any) -> dict[str, Any]:
        body = io.BytesIO(self.objects.get(words["Key"], b""))
        return self.head_object(**words) | {"Body": body}

    def head_object(self, **words: Any) -> dict[str, Any]:
        self.calls.append("head")
        if words["Key"] not in self.objects:
            raise _build_error("404", 404)
        return {"ETag": _etag(self.objects[words["Key"]])}

    def list_objects_v2(self, **words: Any) -> dict[str, Any]:
        keys = [key for key in self.objects if key.startswith(words["Prefix"])]
        return {"Contents": [{"Key": key} for key in keys[: words["MaxKeys"]]]}

    def delete_object(self, **words: Any) -> None:
        self.objects.pop(words["Key"], None)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _build_error(code: str, status: int) -> ClientError:
    facts: Any = {
        "Error": {"Code": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(facts, "PutObject")


def _make_bucket(client: MemoryClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = ObjectStorageBucket("evidence", "prod")
    bucket._client = client
    return bucket


@pytest.mark.parametrize("quoted", [True, False])
def test_an_object_is_replaced_only_at_its_version(
    monkeypatch: pytest.MonkeyPatch, *, quoted: bool
) -> None:
    client = MemoryClient(quoted=quoted)
    bucket = _make_bucket(client, monkeypatch)
    assert bucket.create("head", b"1")
    assert bucket.replace("head", b"2", UNKNOWN) == ""
    assert bucket.replace("none", b"2", UNKNOWN) == ""
    version = _etag(b"1")
    for data in (b"2", b"3"):
        version = bucket.replace("head", data, version)
        assert version == _etag(data)
    assert bucket.replace("head", b"4", _etag(b"1")) == ""
    assert client.objects == {"prod/head": b"3"}
    # The form that matched once is kept: one request for a write.
    client.calls.clear()
    bucket.replace("head", b"4", version)
    assert client.calls == ["put"]


@pytest.mark.parametrize("quoted", [True, False])
def test_a_log_is_created_at_both_kinds_of_server(
    monkeypatch: pytest.MonkeyPatch, *, quoted: bool
) -> None:
    client = MemoryClient(quoted=quoted)
    client.objects["prod/log/key"] = b"name+id+"  # an upload that was cut
    bucket = _make_bucket(client, monkeypatch)
    RemoteLog("s3://evidence/prod", lambda: bucket).create(b"name+id+key\n", b"note")
    assert client.objects == {
        "prod/log/key": b"name+id+key\n",
        "prod/log/checkpoint": b"note",
    }


def test_a_server_that_matches_no_etag_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = _make_bucket(MemoryClient(quoted=None), monkeypatch)
    with pytest.raises(EnvironmentFailure, match="refuses If-Match with the object's"):
        RemoteLog("s3://evidence/prod", lambda: bucket).create(b"key", b"note")
