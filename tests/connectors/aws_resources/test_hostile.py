"""Files that are broken, or are out to hurt."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.aws_resources import fetch
from answerable.connectors.aws_resources.parse import parse
from answerable.connectors.aws_resources.parse.response_fields import FIELDS
from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, ParseError, UsageError
from tests.connectors.aws_resources.conftest import Read, Whole

CANARY = "Xq7vT9pLm2Kd8RwZ4cNb6HsY1fGj3AeU"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"no json at all",
        b'{"BucketPolicy": {',
        b'{"BucketPolicy": {}} trailing',
        b"\x00" * 100,
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'"text"',
        b"[" * 300_000,
        b'{"BucketPolicy":' + b"[" * 300_000 + b"]" * 300_000 + b"}",
        b'{"a": NaN}',
    ],
)
def test_what_is_no_answer_is_one_line_that_says_what_to_do(
    content: bytes, tmp_path: Path, context: SyncContext
) -> None:
    path = tmp_path / "resources.json"
    path.write_bytes(content)
    with pytest.raises(ParseError) as caught:
        fetch.sync(str(path), context)
    assert "\n" not in str(caught.value)
    assert "resources.json" in str(caught.value)
    assert "AWS CLI" in caught.value.hint


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse: takes no room
    monkeypatch.delattr(Path, "open")
    with pytest.raises(UsageError, match="larger than 512 MiB"):
        fetch.sync(str(path), context)


def test_secrets_beside_what_is_read_go_nowhere(whole: Whole, read: Read) -> None:
    text = json.dumps(whole)
    # Every place where the answers hold values that are not read.
    planted = [
        ('"Variables": {"STAGE": "prod"}', f'"Variables": {{"TOKEN": "{CANARY}"}}'),
        ('"environment": [{', f'"secrets": ["{CANARY}"], "environment": [{{'),
        ('"DisplayName": "orders"', f'"KmsMasterKeyId": "{CANARY}"'),
        ('"RevisionId": "r"', f'"RevisionId": "{CANARY}"'),
        ("not authorized", CANARY),
        ("(AccessDeniedException)", f"({CANARY})"),
        ('"Name": "db/prod", "Tags"', f'"Description": "{CANARY}", "Tags"'),
        ('"Grants": []', f'"Grants": [{{"GrantId": 5, "Name": "{CANARY}"}}]'),
        (
            '"BucketTagging": {"lake":',
            f'"BucketTagging": {{"logs": "{CANARY}", "lake":',
        ),
        ('"Topics": [', f'"Topics": [{{"TopicArn": "{CANARY}"}}, "{CANARY}", '),
        (
            '"Version": "2012-10-17"',
            f'"Version": "{CANARY}"',
        ),
    ]
    for old, new in planted:
        assert old in text or old in text.replace('\\"', '"'), old
        text = text.replace(old, new)
        text = text.replace(
            json.dumps(old)[1:-1], json.dumps(new)[1:-1]
        )  # inside a policy's text
    assert text.count(CANARY) > len(planted)
    parsed = read(text)
    assert parsed.problems
    assert CANARY[:8] not in repr(parsed)


def test_a_name_that_looks_like_a_secret_is_hidden_in_a_place(read: Read) -> None:
    token = "ghp_" + CANARY + "0000"
    parsed = read({"TopicAttributes": {f"x/{token}": None}})
    assert parsed.problems
    assert CANARY not in repr(parsed)


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "\u202egnp", "x" * 5000])
def test_no_name_moves_the_cursor_or_floods_the_screen(read: Read, name: str) -> None:
    parsed = read({field: {name: {"Error": "x"}} for field in ("KeyPolicy",)})
    parsed_too = read({"TopicAttributes": {name: None}})
    for problem in (*parsed.problems, *parsed_too.problems):
        assert problem.place.isprintable()
        assert len(problem.place) < 400
    assert parsed.problems
    assert parsed_too.problems


def test_many_error_texts_cost_no_time_to_search(read: Read) -> None:
    hostile = "(" * 50_000 + ")"
    parsed = read({"KeyPolicy": {str(i): hostile for i in range(200)}})
    assert [p.what for p in parsed.problems] == ["kms:GetKeyPolicy failed, 200 times"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(
        [
            "arn:aws:s3:::lake",
            "arn:aws:kms:eu-west-1:123456789012:key/1",
            "arn:aws:sns:eu-west-1:123456789012:t",
            "arn:aws:iam::123456789012:role/x",
            "lake",
            "123456789012",
            "AccessDenied",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Policy", "ResourcePolicy", "policyText", "Attributes", "Error"),
                    *("Code", "Statement", "Grants", "GrantId", "Operations"),
                    *("GranteePrincipal", "Constraints", "EncryptionContextEquals"),
                    *("Name", "KeyArn", "TopicArn", "FunctionArn", "Role", "ARN"),
                    *("ResourceARN", "Tags", "Key", "Value", "TagSet", "Arn", "Roles"),
                    *("PublicAccessBlockConfiguration", "AccessPointArn", "Bucket"),
                    *("Instances", "InstanceId", "IamInstanceProfile", "Placement"),
                    *("taskDefinition", "taskDefinitionArn", "taskRoleArn"),
                    *("QueueArn", "VpcConfiguration", "VpcId", "repositoryArn"),
                ]
            )
            | st.sampled_from(
                [
                    "lake",
                    "123456789012",
                    "arn:aws:kms:eu-west-1:123456789012:key/1",
                    "arn:aws:sns:eu-west-1:123456789012:t",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "Account", "Arn"]), JSON, max_size=4))
def test_no_json_raises_anything_but_our_own_errors(content: object) -> None:
    with contextlib.suppress(AnswerableError):
        parsed = parse(
            json.dumps(content).encode(), source="aws-resources:x", place="x", now=1
        )
        ids = [policy.id for policy in parsed.facts.policies]
        assert len(ids) == len(set(ids))
        attached = {a.policy for a in parsed.facts.attachments}
        assert set(ids) <= attached


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with contextlib.suppress(AnswerableError):
        parse(content, source="aws-resources:x", place="x", now=1)


@given(st.data())
def test_a_damaged_file_raises_nothing_else(root: Path, data: st.DataObject) -> None:
    whole = (root / "tests" / "data" / "aws" / "resources.json").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.binary(max_size=4))
    cut = data.draw(st.integers(0, 4))
    with contextlib.suppress(AnswerableError):
        parse(whole[:at] + put + whole[at + cut :], source="s", place="x", now=1)


@given(st.data())
def test_a_value_of_another_kind_is_said_or_passed_over(
    root: Path, data: st.DataObject
) -> None:
    text = (root / "tests" / "data" / "aws" / "resources.json").read_text()
    spots = [found.span() for found in re.finditer(r'(?<=: )"[^"\\]*"', text)]
    begin, end = data.draw(st.sampled_from(spots))
    put = data.draw(st.sampled_from(["null", "5", "[]", "{}", "true", '""', '"*"']))
    parsed = parse(
        (text[:begin] + put + text[end:]).encode(), source="s", place="x", now=1
    )
    assert parsed.facts.resources
