"""Declare the first demo chapters: scan sample data, trace events, verify evidence."""

import shutil
from pathlib import Path

from answerable.cli.demo.chapter_runner import DemoChapter, DemoStep
from answerable.cli.sample.account import (
    ACCOUNT,
    CI_DEPLOY,
    CUSTOMER_BUCKET,
    DELETED_ROLE,
    REPORT_KEY,
)
from answerable.cli.sample.platform_account import PREVIEW_ROLE

_OBJECTS = f"{CUSTOMER_BUCKET}/*"
_ACCOUNT = f"arn:aws:iam::{ACCOUNT}"
# Placeholder for the id of the role creation event; it depends on the time.
EVENT_PLACEHOLDER = "EVENT"
_BUNDLE = "role-made.bundle"
STORE = "store"
COPY = "copy"


def _damage_store_copy() -> str:
    """Copy the store and change one byte in the middle of a sealed segment."""
    segments = sorted(Path(STORE).glob("segments/**/*.parquet"))
    if not segments:
        return "(nothing is sealed, so there is nothing to change)"
    shutil.copytree(STORE, COPY)
    segment = Path(COPY) / segments[0].relative_to(STORE)
    content = bytearray(segment.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    segment.write_bytes(bytes(content))
    return f"(one bit of byte {middle} of {segment} was changed.)"


CHAPTERS = (
    DemoChapter(
        "Which agents are here, and which identities do they use?",
        (
            DemoStep(
                "Read files of a home, a repository, AWS, GitHub, a cluster and "
                "Google Cloud. Nothing is executed or sent, and no secret value is "
                "stored.",
                (
                    "scan",
                    "home:home/ana",
                    "repo:repo",
                    "aws:aws/account.json",
                    "aws-keys:aws/keys.json",
                    "aws:aws/platform.json",
                    "github:github/corp",
                    "github:github/labs",
                    "k8s:cluster",
                    "gcp:google",
                ),
            ),
            DemoStep(
                "The agents with their owners. The .gitconfig contains the address "
                "ana@corp.example for ana; an agent could have written it, so it is "
                "shown but not trusted.",
                ("agents",),
            ),
            DemoStep(
                "The servers that they start. A credential is classified by its "
                "location and is never used.",
                ("tools", "--kind", "stdio"),
            ),
        ),
    ),
    DemoChapter(
        "A key in a subagent's file: who owns it, and what can it reach?",
        (
            DemoStep(
                "The key list maps each key to its user.",
                ("credentials", "--kind", "aws-access-key"),
            ),
            DemoStep(
                "The owner of the key, with the evidence.",
                ("who-owns", f"cred:aws/{REPORT_KEY}"),
            ),
            DemoStep(
                "Its user cannot read customer data, but it can assume a role that "
                "can.",
                ("can", f"cred:aws/{REPORT_KEY}", "s3:GetObject", _OBJECTS),
            ),
        ),
    ),
    DemoChapter(
        "A pipeline runs an agent on every comment. What can it reach?",
        (
            DemoStep(
                "Its role can only create functions and pass a role to them.",
                ("can", CI_DEPLOY, "iam:CreateUser", f"{_ACCOUNT}:user/new"),
            ),
        ),
    ),
    DemoChapter(
        "A stranger opens a pull request. How far does that lead?",
        (
            DemoStep(
                "GitHub, AWS and Kubernetes each grant one part. Without the access "
                "entry of the cluster, there is no path.",
                (
                    "what-if",
                    "github:user/*",
                    "--without",
                    f"access entry {PREVIEW_ROLE}",
                    "--action",
                    "s3:*",
                ),
            ),
        ),
    ),
    DemoChapter(
        "Customer data was read two hours ago. Who read it?",
        (
            DemoStep(
                "Ingest the audit log. It is sealed as evidence before anything "
                "is derived from it.",
                ("ingest", "cloudtrail:trail"),
            ),
            DemoStep(
                "From the objects back to a person, with the status of each hop. "
                "The platform observed the last three hops. The first three are "
                "inferred, because the files of chapter 1 were read later.",
                (
                    "trace",
                    "--resource",
                    f"{CUSTOMER_BUCKET}/customers/*",
                    "--limit",
                    "3",
                    "--tree",
                ),
            ),
        ),
    ),
    DemoChapter(
        "The role was deleted. Its records remain.",
        (
            DemoStep(
                "It was created, used and deleted within minutes; no scan found "
                "it. The audit log has all changes to it.",
                ("trace", "--resource", DELETED_ROLE, "--tree"),
            ),
            DemoStep(
                "Show the owner of the user that created it.",
                ("who-owns", DELETED_ROLE),
            ),
        ),
    ),
    DemoChapter(
        "Can others verify this?",
        (
            DemoStep(
                "Verify every record, every segment and the signed log.",
                ("evidence", "verify"),
            ),
            DemoStep(
                "Export the record of the role's creation, with its proof.",
                ("evidence", "bundle", EVENT_PLACEHOLDER, "--out", _BUNDLE),
            ),
            DemoStep(
                "Anyone with the public key can verify it, without the store.",
                ("evidence", "verify", _BUNDLE, "--key", f"{STORE}/keys/log.pub"),
            ),
        ),
    ),
    DemoChapter(
        "What if a single bit changes?",
        (
            DemoStep(
                "The same check on the damaged copy names the first invalid "
                "record and exits with code 1.",
                ("--store", COPY, "evidence", "verify"),
                exit_code=1,
            ),
        ),
        before=_damage_store_copy,
    ),
)
