"""Persons at a terminal, who sign what a running gateway then does."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.cli import owner_key_files
from answerable.cli.main import main
from tests.gateway.serve.running_gateway import SECONDS, Serving

ANA, BEN = "ana@corp.example", "ben@corp.example"
PHRASE = "correct horse battery staple"
AGENT = "agent:declared/ana"


class Owners:
    """Persons at a terminal, each with a key of their own, and the store they sign in."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self._phrase = folder / "phrase"
        self._phrase.write_text(PHRASE + "\n")
        self._phrase.chmod(0o600)

    def __call__(self, *words: str) -> tuple[int, Any, str]:
        code = main(["--store", str(self.folder / "store"), "-o", "json", *words])
        out, err = self._capsys.readouterr()
        return code, json.loads(out)["items"] if out else None, err

    def key(self, person: str) -> tuple[str, ...]:
        place = self.folder / f"{person}.pem"
        if not place.exists():
            owner_key_files.write_key_pair(place, PHRASE)
            public = f"{place}.pub"
            assert self("owner-keys", "enroll", public, "--person", person)[0] == 0
        return ("--key", str(place), "--passphrase-file", str(self._phrase))

    def attest(self, person: str, agent: str = AGENT) -> None:
        assert self("scan", f"config:{self.folder / 'answerable.yaml'}")[0] == 0
        code, _, err = self("attest", agent, "--owner", person, *self.key(person))
        assert code == 0, err

    def sign(self, person: str, *words: str) -> Any:
        code, items, err = self(*words, *self.key(person))
        assert code == 0, err
        return items[0]


def refused(answer: Any) -> str:
    """The id of the decision that held a call back."""
    assert "error" in answer, answer
    decision: str = answer["error"]["data"]["decision_id"]
    return decision


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def passes(served: Serving, name: str = "write", **arguments: Any) -> bool:
    return "result" in served.call(name, arguments=arguments)
