"""A person with an AWS profile, an attested agent, and a signed credential policy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.agent_credentials.sts_service import (
    PARENT_KEY,
    SECRET,
    USER_KEY,
    StsService,
    sts_service,
)

ANA, AGENT = "person:ana@corp.example", "agent:claude-code/ana"
NAME = "claude-code/ana"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::example-reports/*",
        }
    ],
}


@dataclass
class Laptop:
    """Home of a person, with commands that they type."""

    home: Path
    sts: StsService
    store: Path

    def write_profile(self, kind: str, **more: str) -> None:
        """Write ~/.aws: `session` for temporary credentials, `user` for an IAM key."""
        folder = self.home / ".aws"
        folder.mkdir(exist_ok=True)
        key = PARENT_KEY if kind == "session" else USER_KEY
        token = "aws_session_token = parent-token\n" if kind == "session" else ""
        (folder / "credentials").write_text(
            f"[default]\naws_access_key_id = {key}\n"
            f"aws_secret_access_key = {SECRET}\n{token}"
        )
        lines = "".join(f"{name} = {value}\n" for name, value in more.items())
        (folder / "config").write_text(
            f"[default]\nregion = eu-west-1\nendpoint_url = {self.sts.url}\n{lines}"
        )

    def sign(self, *words: str, policy: Mapping[str, object] | None = None) -> int:
        """Sign a credential policy of the agent."""
        (self.home / "policy.json").write_text(json.dumps(policy or POLICY))
        file = (
            () if "--starter" in words else ("--policy", str(self.home / "policy.json"))
        )
        platform = () if "--for" in words else ("--for", "aws")
        return main(
            [
                "credential-policies",
                "sign",
                NAME,
                *platform,
                *file,
                *words,
                *self.key,
            ]
        )

    @property
    def key(self) -> tuple[str, ...]:
        return (
            *("--key", str(self.home / "ana.pem")),
            *("--passphrase-file", str(self.home / "pass")),
        )

    def run(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "answerable", *words],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home named `ana` and a store with an attested owner of its agent."""
    return build_home(tmp_path_factory.mktemp("laptop"))


def build_home(root: Path) -> Path:
    """Build a home and a store in a folder."""
    home = root / "ana"
    home.mkdir(mode=0o700)
    (home / "pass").write_text("correct horse battery\n")
    (home / "pass").chmod(0o600)
    (home / ".claude.json").write_text('{"numStartups": 3}')
    store = ("--store", str(root / "store"), "-q", "-o", "json")
    key, phrase = str(home / "ana.pem"), ("--passphrase-file", str(home / "pass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        let_tests_sign(patch)
        for words in (
            ("scan", f"home:{home}"),
            ("owner-keys", "new", "--person", ANA, "--key", key, *phrase),
            ("owner-keys", "enroll", f"{key}.pub", "--person", ANA),
            ("attest", AGENT, "--owner", ANA, "--key", key, *phrase),
        ):
            assert main([*words, *store]) == 0, words
    return root


def let_tests_sign(patch: pytest.MonkeyPatch) -> None:
    """Accept signatures of a process that an agent may have started."""
    name = "answerable.server.processes.ancestors.refuse_agent_ancestors"
    patch.setattr(name, lambda *_: None)


@pytest.fixture
def laptop(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Laptop]:
    with open_laptop(template, tmp_path, monkeypatch) as person:
        yield person


@contextmanager
def open_laptop(
    template: Path, folder: Path, patch: pytest.MonkeyPatch
) -> Iterator[Laptop]:
    """Copy a home, and work in it as its person, with a profile of a session."""
    root = shutil.copytree(template, folder / "laptop")
    home, runtime = root / "ana", root / "runtime"
    runtime.mkdir(mode=0o700)
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_RUNTIME_DIR", str(runtime))
    patch.setenv("ANSWERABLE_STORE", str(root / "store"))
    patch.delenv("ANSWERABLE_RUN", raising=False)
    let_tests_sign(patch)
    patch.chdir(home)
    with sts_service() as service:
        person = Laptop(home, service, root / "store")
        person.write_profile("session")
        yield person
