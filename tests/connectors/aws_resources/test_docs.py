"""The commands on the page, run, make a file that is read."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from answerable.connectors.aws_resources import fetch
from answerable.connectors.aws_resources.declaration import DECLARATION, PERMISSIONS
from answerable.model.connector import SyncContext

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
TASK = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/t:1"
POLICY = {"Policy": '{"Version": "2012-10-17", "Statement": []}'}
# What this AWS answers; it refuses everything else.
ANSWERS: dict[str, object] = {
    "sts get-caller-identity --query Account": None,
    "sts get-caller-identity": {
        "UserId": "x",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/x",
    },
    "s3api list-buckets": {"Buckets": [{"Name": "lake"}, {"Name": "bare"}]},
    "s3api get-bucket-policy --bucket lake": POLICY,
    "kms list-keys": {"Keys": [{"KeyId": "1", "KeyArn": KEY}]},
    "kms get-key-policy": POLICY,
    "kms list-grants": {"Grants": []},
    "sqs list-queues": {
        "QueueUrls": [f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q"]
    },
    "sqs get-queue-attributes": "",
    "lambda list-functions": {
        "Functions": [
            {
                "FunctionArn": FUNCTION,
                "Role": f"arn:aws:iam::{ACCOUNT}:role/r",
                "Environment": {"Variables": {"TOKEN": "canary"}},
            }
        ]
    },
    "ecs list-task-definitions": {"taskDefinitionArns": [TASK]},
    "ecs describe-task-definition": {
        "taskDefinition": {
            "taskDefinitionArn": TASK,
            "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
            "containerDefinitions": [{"environment": [{"value": "canary"}]}],
        }
    },
}
NONE = {
    "s3api get-bucket-policy --bucket bare": "NoSuchBucketPolicy",
    "lambda get-policy": "ResourceNotFoundException",
}


def stand_in(folder: Path) -> None:
    """Put an `aws` into a folder that answers what is listed."""
    lines = ["#!/bin/sh", 'case "$*" in']
    for words, answer in ANSWERS.items():
        said = answer if isinstance(answer, str) else json.dumps(answer)
        if answer is None:
            said = ACCOUNT
        lines.append(f"  '{words}'*) echo '{said}';;" if said else f"  '{words}'*) ;;")
    for words, code in (*NONE.items(), ("", "AccessDenied")):
        error = f"An error occurred ({code}) when calling an operation: no"
        lines.append(f"  '{words}'*) echo >&2; echo '{error}' >&2; exit 254;;")
    path = folder / "aws"
    path.write_text("\n".join([*lines, "esac\n"]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(shutil.which("jq") is None, reason="the commands need jq")
def test_the_commands_on_the_page_make_a_file_that_is_read(
    root: Path, tmp_path: Path, context: SyncContext
) -> None:
    page = (root / "docs" / "aws.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (script,) = (block for block in blocks if "ask()" in block)
    stand_in(tmp_path)
    subprocess.run(
        ["sh", "-c", script.partition("\nanswerable scan")[0]],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        timeout=120,
        capture_output=True,
    )
    made = tmp_path / "resources.json"
    assert "canary" not in made.read_text()
    sync = fetch.sync(str(made), context)
    assert {a.policy for a in sync.facts.attachments} == {
        "arn:aws:s3:::lake#policy",
        "arn:aws:s3:::bare#policy",
        f"{KEY}#policy",
        f"{KEY}#grants",
        f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q#policy",
        f"{FUNCTION}#policy",
    }
    assert {p.id for p in sync.facts.policies if p.unread} == set()
    assert {problem.what for problem in sync.problems} == {
        "s3:GetBucketPublicAccessBlock is not allowed, 2 times",
        "s3:GetBucketTagging is not allowed, 2 times",
        "s3:GetAccountPublicAccessBlock is not allowed",
    }
    assert {r.kind for r in sync.facts.resources if r.runs_as} == {
        "lambda:function",
        "ecs:task-definition",
    }


def test_every_call_of_a_live_scan_is_a_permission_or_needs_none() -> None:
    calls = {call for call in DECLARATION.reads if not call.startswith("FILE")}
    assert calls - set(DECLARATION.permissions) == {"sts:GetCallerIdentity"}
    assert set(DECLARATION.permissions) == set(PERMISSIONS)
    assert not any("*" in action for action in PERMISSIONS)
