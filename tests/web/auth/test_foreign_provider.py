"""A person signs in to the web page at a provider that is not ours: npm oidc-provider."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.authentication.https_issuer import certificate, trusting
from tests.sts.foreign.issuer import CLIENT, ForeignIssuer, issuer
from tests.sts.foreign.user_agent import UserAgent

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(certificate(tmp_path_factory.mktemp("pem")))


@pytest.fixture(scope="module")
def foreign(pem: Path) -> Iterator[ForeignIssuer]:
    with issuer(certificate=str(pem), key=str(pem)) as running:
        yield running


@contextmanager
def page(
    folder: Path, foreign: ForeignIssuer, pem: Path, **login: Any
) -> Iterator[str]:
    """Run the web page with that provider; give its address."""
    corp = {
        "iss": foreign.url,
        "audience": "answerable-cli",
        "keys": "discovery",
        "tokens": ["id-token"],
        "person": "email",
        "private": True,
        "ca": str(pem),
    }
    said = {
        "store": "store",
        "issuers": {"corp": corp},
        "web": {
            "listen": [{"address": "127.0.0.1:0"}],
            "login": {"issuer": "corp", "client_id": CLIENT, **login},
        },
    }
    (folder / "answerable.yaml").write_text(json.dumps(said))
    argv = [sys.executable, "-m", "answerable", "serve", "--only", "web"]
    process = subprocess.Popen(
        [*argv, "--config", "answerable.yaml"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_a_person_comes_in_through_a_foreign_provider(
    tmp_path: Path, foreign: ForeignIssuer, pem: Path
) -> None:
    with page(tmp_path, foreign, pem, default=["investigator"]) as at:
        browser = UserAgent(trusting(pem))
        where, _ = browser.go(f"{at}/agents")
        assert where == f"{at}/sign-in?next=%2Fagents"
        where, shown = browser.go(f"{at}/sign-in/start?next=%2Fagents")
        assert where == f"{at}/agents"
        assert "ana@example.com" in shown
        assert "investigator" in shown
        # The provider knows her still; to be fresh she is asked again all the same.
        where, _ = browser.go(f"{at}/sign-in/start?next=%2Fagents&fresh=1")
        assert where == f"{at}/agents"


def test_whoever_has_no_role_or_declines_does_not_come_in(
    tmp_path: Path, foreign: ForeignIssuer, pem: Path
) -> None:
    roles = {"claim": "groups", "map": {"security": ["admin"]}}
    with page(tmp_path, foreign, pem, roles=roles) as at:
        browser = UserAgent(trusting(pem))
        where, shown = browser.go(f"{at}/sign-in/start?next=%2Fagents")
        assert where.startswith(f"{at}/sign-in/callback")
        assert "has no role" in shown
        assert browser.go(f"{at}/agents")[0].startswith(f"{at}/sign-in")
