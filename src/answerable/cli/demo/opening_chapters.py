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
        return "(nothing was sealed, so there is nothing to change)"
    shutil.copytree(STORE, COPY)
    segment = Path(COPY) / segments[0].relative_to(STORE)
    content = bytearray(segment.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    segment.write_bytes(bytes(content))
    return f"(one bit of byte {middle} of {segment} was changed.)"


CHAPTERS = (
    DemoChapter(
        "What agents are here, and what do they act through?",
        (
            DemoStep(
                "Read a home, a repository, an account dump and its key list. Nothing "
                "is executed, nothing is sent, no secret value is kept.",
                (
                    "scan",
                    "home:home/ana",
                    "repo:repo",
                    "aws:aws/account.json",
                    "aws-keys:aws/keys.json",
                ),
            ),
            DemoStep(
                "The agents, and who answers for each. The .gitconfig says that ana is "
                "ana@corp.example; an agent could have written that, so it is shown, "
                "not believed.",
                ("agents",),
            ),
            DemoStep(
                "The tools they carry. A credential is classed by where it stands, "
                "never by trying it.",
                ("tools",),
            ),
        ),
    ),
    DemoChapter(
        "One key in a subagent's file: whose is it, and how far does it reach?",
        (
            DemoStep(
                "The key list says which user each key proves.",
                ("credentials", "--kind", "aws-access-key"),
            ),
            DemoStep(
                "Who answers for it, and why.", ("who-owns", f"cred:aws/{REPORT_KEY}")
            ),
            DemoStep(
                "Its user may not read customer data. A role that it may assume can.",
                ("can", f"cred:aws/{REPORT_KEY}", "s3:GetObject", _OBJECTS),
            ),
        ),
    ),
    DemoChapter(
        "A pipeline runs an agent on every comment. How far could that go?",
        (
            DemoStep(
                "Its role may only make functions, and hand them a role.",
                ("can", CI_DEPLOY, "iam:CreateUser", f"{_ACCOUNT}:user/new"),
            ),
        ),
    ),
    DemoChapter(
        "Customer data was read two hours ago. Who was that?",
        (
            DemoStep(
                "Take in the trail. It becomes sealed evidence before anything is "
                "derived from it.",
                ("ingest", "cloudtrail:trail"),
            ),
            DemoStep(
                "From the touched objects back to a person, each hop with how it is "
                "known: the platform saw the last three; the first three are "
                "inferred, since the files of chapter 1 were read after the fact.",
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
        "The role that did it is gone. The answer is not.",
        (
            DemoStep(
                "It was made, used and deleted within minutes; no scan ever saw it. "
                "The trail holds all that was done to it.",
                ("trace", "--resource", DELETED_ROLE, "--tree"),
            ),
            DemoStep(
                "Ask the owner of the user that created it.",
                ("who-owns", DELETED_ROLE),
            ),
        ),
    ),
    DemoChapter(
        "Can anybody else check this?",
        (
            DemoStep(
                "Walk every record, every segment and the signed log.",
                ("evidence", "verify"),
            ),
            DemoStep(
                "Hand out the record of the role's making, with its proof.",
                ("evidence", "bundle", EVENT_PLACEHOLDER, "--out", _BUNDLE),
            ),
            DemoStep(
                "Anyone with the public key can verify it, without the store.",
                ("evidence", "verify", _BUNDLE, "--key", f"{STORE}/keys/log.pub"),
            ),
        ),
    ),
    DemoChapter(
        "And if somebody changes a single bit?",
        (
            DemoStep(
                "The same check on the damaged copy names the first record that does "
                "not hold, and ends with exit code 1.",
                ("--store", COPY, "evidence", "verify"),
                exit_code=1,
            ),
        ),
        before=_damage_store_copy,
    ),
)
