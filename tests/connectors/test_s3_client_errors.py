"""A bucket that cannot be used is refused in one line, which says what to check."""

from unittest.mock import Mock

import pytest

from answerable.connectors.s3_bucket import ObjectStorageBucket
from answerable.model.errors import EnvironmentFailure, UsageError


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("AWS_ENDPOINT_URL_S3", "storage", "Invalid endpoint: storage"),
        ("AWS_PROFILE", "nobody", "config profile (nobody) could not be found"),
        ("AWS_DEFAULT_REGION", "bad region", "Provided region_name 'bad region'"),
    ],
)
def test_a_client_that_cannot_be_made_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        ObjectStorageBucket("evidence", "prod")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "AWS_ENDPOINT_URL_S3" in caught.value.hint


def test_a_server_that_is_no_object_storage_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = ObjectStorageBucket("evidence", "prod")
    # Any web server answers 200 to GET and PUT.
    bucket._client = Mock(
        get_object=lambda **_: {"Body": Mock(read=lambda: b"<html>")},
        put_object=lambda **_: {},
    )
    with pytest.raises(EnvironmentFailure, match="not S3-compatible"):
        bucket.get("log/key")
    with pytest.raises(EnvironmentFailure, match="not S3-compatible"):
        bucket.create("log/key", b"x")
