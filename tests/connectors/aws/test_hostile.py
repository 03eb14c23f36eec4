"""Files that are something else, are broken, or are out to hurt."""

import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors import api_response_file
from answerable.connectors.api_response_file import read_answer_file
from answerable.connectors.aws import fetch
from answerable.connectors.aws.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    ParseError,
    UsageError,
)
from answerable.model.sighting import Sync

Read = Callable[[bytes], Sync]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"no json at all",
        b'{"UserDetailList": [',
        b'{"UserDetailList": []} trailing',
        b"\x00" * 100,
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"[]",
        b",",
        b'"text"',
        b"[" * 300_000,
        b'{"UserDetailList":' + b"[" * 300_000,
        b'{"UserDetailList":' + b"[" * 300_000 + b"]" * 300_000 + b"}",
        b'{"a": NaN}',
    ],
)
def test_what_is_no_answer_is_one_line_that_says_what_to_do(
    read: Read, content: bytes
) -> None:
    with pytest.raises(ParseError) as caught:
        read(content)
    assert "\n" not in str(caught.value)
    assert "details.json" in str(caught.value)
    assert "AWS CLI" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"user,arn,user_creation_time,password_enabled\n", "credential report"),
        (b'{"GeneratedTime": "x", "Content": "y"}', "credential report"),
        (b'{"AccessKeyMetadata": []}', "aws-keys:FILE"),
        (b'{"Organization": {"Id": "o"}, "Policies": []}', "aws-org:FILE"),
        (b'{"Records": []}', "ingest"),
        (b'{"Version": "2012-10-17", "Statement": []}', "a single policy document"),
        (b'{"mcpServers": {}}', "home:DIR"),
        (b"{}", "account authorization details"),
        (b'[{"UserDetailList": []}, {"x": 1}]', "account authorization details"),
    ],
)
def test_a_file_of_another_kind_is_told_apart(
    read: Read, content: bytes, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(content)
    assert says in f"{caught.value} {caught.value.hint}"


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse: takes no room
    monkeypatch.delattr(api_response_file, "read_named_file")
    with pytest.raises(UsageError, match="larger than 512 MiB"):
        fetch.sync(str(path), context)


def test_a_pipe_over_the_limit_is_refused_without_reading_on() -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        with pytest.raises(UsageError, match="larger than"):
            read_answer_file(f"/dev/fd/{endless.stdout.fileno()}", "anything", 1 << 20)
        endless.kill()


def test_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="is a device"):
        read_answer_file("/dev/zero", "anything", 1 << 20)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("gone.json", "no such file"),
        ("\x00", "no such file"),
        ("~nobody-at-all/x", "no such user"),
    ],
)
def test_a_file_that_is_not_there_is_a_usage_error(
    location: str, said: str, context: SyncContext
) -> None:
    with pytest.raises(UsageError, match=said):
        fetch.sync(location, context)


def test_a_folder_is_a_usage_error(tmp_path: Path, context: SyncContext) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        fetch.sync(str(tmp_path), context)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(
    tmp_path: Path, context: SyncContext
) -> None:
    path = tmp_path / "details.json"
    path.touch(mode=0)
    with pytest.raises(EnvironmentFailure, match="Permission"):
        fetch.sync(str(path), context)


def test_a_refused_open_is_an_environment_error(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "details.json"
    path.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(EnvironmentFailure, match="Permission denied"):
        fetch.sync(str(path), context)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with contextlib.suppress(AnswerableError):
        parse(content, source="aws:x", place="x", now=1)


BYTES = b'{"UserDetailList":[{"Arn":"arn:aws:iam::123456789012:user/a","UserName":"a","UserPolicyList":[{"PolicyName":"p","PolicyDocument":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}]}]}'


@given(st.integers(0, len(BYTES) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_file_raises_nothing_else(at: int, put: bytes, cut: int) -> None:
    damaged = BYTES[:at] + put + BYTES[at + cut :]
    with contextlib.suppress(AnswerableError):
        parse(damaged, source="aws:x", place="x", now=1)
