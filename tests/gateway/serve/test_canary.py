"""Tokens, arguments and results pass through the gateway and stay nowhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.serve.stage import Backend, configuration, serving, token_of

ARGUMENT = "canary-argument-3b1f9c"
CLAIMED = "canary-claimed-77aa02"
PIECE = 12


def _held(folder: Path) -> dict[Path, bytes]:
    """Every file that the gateway left, but what the operator wrote."""
    written = {"answerable.yaml", "keys.json"}
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in written
    }


def _stored(folder: Path) -> str:
    """What the store, whose files are compressed, tells of the calls."""
    argv = [sys.executable, "-m", "answerable", "--store", "store", "-o", "json"]
    query = ["sql", "select * from lineage join decisions using (decision_id)"]
    rows = _run([*argv, *query], folder)
    known = [item["decision_id"] for item in json.loads(rows)["items"]]
    shown = [
        _run([*argv, "decision", each, "--config", "answerable.yaml"], folder)
        for each in known
    ]
    assert all('"passed"' in each for each in shown)
    return rows + "".join(shown)


def _run(argv: list[str], folder: Path) -> str:
    ran = subprocess.run(argv, cwd=folder, capture_output=True, check=True)
    return ran.stdout.decode()


def _pieces(secret: str) -> set[bytes]:
    return {secret[at : at + PIECE].encode() for at in range(len(secret) - PIECE + 1)}


def test_no_piece_of_a_token_or_an_argument_is_kept_logged_or_shown(
    tmp_path: Path, server: Backend
) -> None:
    good, bad = token_of("ana"), token_of("ana", aud="https://elsewhere.example")
    with serving(tmp_path, configuration(server.server_port)) as served:
        for token in (good, bad, good[:-4] + "AAAA"):
            for name in ("read", "slow", "write"):
                arguments = {"seconds": 0, "text": ARGUMENT}
                served.call(
                    name, token=token, arguments=arguments, meta={"said": CLAIMED}
                )
        shown = served.get("/metrics")[1] + served.get("/readyz")[1]
        assert served.end() == 0
    rows = _stored(tmp_path)
    assert rows.count('"decision_id"') == 3  # shipped, so looked into
    said = (shown + json.dumps(served.log) + rows).encode()
    held = _held(tmp_path)
    # The first part of a token is its public header, and part of others' headers too.
    secrets = [ARGUMENT, CLAIMED]
    secrets += [part for token in (good, bad) for part in token.split(".")[1:]]
    for secret in secrets:
        for piece in _pieces(secret):
            assert piece not in said
            assert [path for path, data in held.items() if piece in data] == []


@pytest.mark.parametrize("place", ["log", "spool"])
def test_a_piece_that_is_kept_would_be_found(place: str, tmp_path: Path) -> None:
    (tmp_path / place).write_text(f"... {ARGUMENT[3:20]} ...")
    held = _held(tmp_path)
    assert any(piece in data for piece in _pieces(ARGUMENT) for data in held.values())
