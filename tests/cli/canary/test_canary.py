"""No secret value leaves the files it lies in: not shown, not stored, in no form.

A home, a repository, an account, a database and a trail are filled with canaries. Every command
runs in every form, then everything it said and everything the store holds is searched
for any eight characters of any of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import duckdb
import pytest
import zstandard

from answerable.cli.main import main
from tests.stored_contents import iterate_stored_contents

USER = "arn:aws:iam::111122223333:user/report-bot"
BOT = "bot@shop.iam.gserviceaccount.com"
ADMIN = "postgres:db.example/prod/role/admin"
TABLE = "postgres:db.example/prod/table/public.t"
BUCKET = "arn:aws:s3:::example-customer-data"
FORMS = ("table", "json", "ndjson", "csv")


class Canaries(Protocol):
    made: dict[str, str]

    def found_in(self, content: bytes) -> set[str]: ...


class Estate(Protocol):
    root: Path
    canaries: Canaries


FILL: tuple[tuple[str, ...], ...] = (
    (
        *("scan", "home:home", "repo:repo"),
        *("aws:aws/account.json", "aws-keys:aws/keys.json"),
        *("aws-resources:aws/resources.json", "pg:pg,host=db.example"),
    ),
    ("scan", "k8s:k8s,cluster=prod"),
    ("scan", "k8s:k8s-broken"),
    ("scan", "github:github"),
    ("scan", "gcp:google", "opengraph:graph/graph.json", "people:people/scim.json"),
    ("scan", "gcp:google-broken"),
    ("scan", "people:people-broken/people.csv"),
    ("scan", "pg:pg-cut"),
    ("scan", "pg:pg-broken"),
    ("scan", "aws:aws/broken.json"),
    ("scan", "aws-org:aws/broken.json"),
    ("scan", "aws-resources:aws/broken.json"),
    ("scan", "aws-keys:aws/broken.json"),
    ("ingest", "cloudtrail:trail"),
    ("ingest", "cloudtrail:trail/broken.json"),
    ("ingest", "cloudtrail:home/.claude.json"),
)
ASK: tuple[tuple[str, ...], ...] = (
    ("where", "home:home", "repo:repo", "aws-resources:"),
    *(
        (name,)
        for name in ("agents", "identities", "credentials", "people", "tools", "doctor")
    ),
    ("who-owns", USER),
    ("who-owns", "cred:aws/AKIAIOSFODNN7EXAMPLE"),
    ("show", USER),
    ("show", "cred:aws/AKIAIOSFODNN7EXAMPLE"),
    ("show", "EVENT"),
    ("attest", USER, "--owner", "ana@corp.example"),
    ("owner-keys", "list"),
    ("credential-policies", "list"),
    ("show", "cred:github/acme/pat/2"),
    ("can", "github:user/ana", "contents:write", "github:acme/repo/web"),
    ("who-can", "read-secret", "github:acme/secret/KEY"),
    ("show", BOT),
    ("show", "agent:vertex-agent-engine/shop/8"),
    ("show", "cred:gcp/1"),
    ("reach", "agent:vertex-agent-engine/shop/8", "--direct"),
    ("who-can", "storage.objects.get", "projects/shop"),
    ("reach", USER),
    ("reach", USER, "--used"),
    ("plan",),
    ("least-privilege", USER, "--since", "2020-01-01"),
    ("can", USER, "s3:GetObject", f"{BUCKET}/x"),
    ("who-can", "s3:GetObject", f"{BUCKET}/x"),
    ("reach", "--all"),
    ("findings",),
    ("findings", "trend"),
    ("findings", "-o", "sarif"),
    ("diff", "repo", "repo"),
    ("report",),
    *(("export", "--to", form, "out") for form in ("cyclonedx", "opengraph", "csv")),
    ("show", "agent:kagent/prod/dev/helper"),
    ("show", "k8s:prod/dev/serviceaccount/app"),
    ("show", ADMIN),
    ("reach", ADMIN),
    ("can", ADMIN, "SELECT", TABLE),
    ("who-can", "SELECT", TABLE),
    ("what-if", ADMIN, "--without", "GRANT reader TO admin"),
    ("what-if", USER, "--cuts", f"{BUCKET}/x", "--action", "s3:GetObject"),
    ("trace",),
    ("trace", "--tree"),
    ("trace", "--score"),
    ("case", "list"),
    ("trace", "--first-seen", "--since", "2020-01-01"),
    ("trace", "--since", "7d", "--compare", "..7d", "--by", "resource"),
    *(
        ("sql", f"select * from {view}")  # noqa: S608 - our own view names
        for view in ("lineage", "agents", "identities", "credentials", "owners")
    ),
    ("evidence", "verify"),
    ("evidence", "checkpoint", "--export", "out/checkpoint"),
    ("evidence", "tiles", "--to", "out/tiles"),
    ("evidence", "consistency", "out/checkpoint", "--out", "out/consistency"),
    ("evidence", "prove", "EVENT"),
    ("evidence", "bundle", "EVENT", "--out", "out/bundle"),
)


def _words(asked: Sequence[str], event: str, form: str) -> list[str]:
    words = [event if word == "EVENT" else word for word in asked]
    if "--out" in words:
        words[-1] += f".{form}"
    return [*words, "-o", form]


@pytest.mark.parametrize(
    "forms",
    # NDJSON and CSV are written from the items of JSON: all four in `make world`.
    [FORMS[:2], pytest.param(FORMS, marks=pytest.mark.world)],
    ids=["two-forms", "all-forms"],
)
def test_no_piece_of_a_secret_leaves_its_file(
    estate: Estate,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    forms: tuple[str, ...],
) -> None:
    monkeypatch.chdir(estate.root)
    monkeypatch.setenv("HOME", str(estate.root / "home"))
    monkeypatch.setenv("ANSWERABLE_STORE", str(estate.root / "store"))
    (estate.root / "out").mkdir()
    said: list[tuple[str, str]] = []

    def tell(words: Sequence[str]) -> tuple[int, str]:
        code = main(words)
        captured = capsys.readouterr()
        said.append((" ".join(words), captured.out + captured.err))
        assert code in (0, 1, 2, 3), said[-1]
        return code, captured.out

    for words in FILL:
        tell([*words, "--debug"])
    _, out = tell(["trace", "-o", "json", "--allow-partial"])
    items = json.loads(out)["items"]
    assert len(items) >= 4, out
    for form in forms:
        for asked in ASK:
            words = _words(asked, items[0]["event_id"], form)
            code, _ = tell(words)
            assert code in (0, 3), said[-1]
            if form == forms[0]:  # stderr is the same in each
                tell([*words, "--debug", "--quiet"])

    for command, text in said:
        assert estate.canaries.found_in(text.encode()) == set(), command
    files = [
        path
        for folder in ("store", "out")
        for path in sorted((estate.root / folder).rglob("*"))
        if path.is_file()
    ]
    assert any(path.suffix == ".parquet" for path in files)
    for path in files:
        for content in iterate_stored_contents(path):
            assert estate.canaries.found_in(content) == set(), path


@pytest.mark.parametrize("words", [("agents",), ("trace", "--tree"), ("where",)])
def test_a_child_process_says_no_more(estate: Estate, words: tuple[str, ...]) -> None:
    for given in (["scan", "home:home", "--debug"], [*words], [*words, "-o", "json"]):
        child = subprocess.run(
            [sys.executable, "-X", "dev", "-m", "answerable", *given],
            cwd=estate.root,
            env={
                **os.environ,
                "HOME": str(estate.root / "home"),
                "ANSWERABLE_STORE": str(estate.root / "child-store"),
            },
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert child.returncode in (0, 3), child.stderr
        assert estate.canaries.found_in(child.stdout + child.stderr) == set()


def test_a_canary_that_got_out_would_be_found(estate: Estate, tmp_path: Path) -> None:
    value = estate.canaries.made["dsn"]
    found = estate.canaries.found_in
    assert found(f"password={value[12:20]}!".encode()) == {"dsn"}
    assert found(value[:7].encode()) == set()
    packed = tmp_path / "packed"
    packed.write_bytes(zstandard.ZstdCompressor().compress(value.encode() * 9))
    assert any(found(content) for content in iterate_stored_contents(packed))
    later = tmp_path / "later"
    later.write_bytes(b"\0\0\1\0" * 2 + packed.read_bytes())
    assert any(found(content) for content in iterate_stored_contents(later))
    table = tmp_path / "table.parquet"
    duckdb.connect().execute(
        f"copy (select '{value}' as v) to '{table}' (format parquet, compression zstd)"
    )
    assert any(found(content) for content in iterate_stored_contents(table))


def test_every_command_is_among_those_asked() -> None:
    from answerable.cli.app import app

    asked = {words[0] for words in (*FILL, *ASK)}
    # `demo` asks these commands about its own sample; `completion` reads nothing; what
    # passes the gateway is looked for by tests/gateway/serve/test_canary.py, and what a
    # sign-in passes on by tests/sts/login/test_command.py; `run` has no secret to show,
    # and an agent that it starts has its own output; the token service's own are looked
    # for by tests/sts/test_security.py. What `baseline` shows is what a gateway recorded,
    # less whatever looks like a credential (tests/gateway/http/test_baseline_enforcement.py), and
    # what `requests` does is what a person filed, likewise (tests/usecases/test_filed_requests.py).
    silent = {"demo", "completion", "gateway", "run", "serve", "login", "logout"}
    silent |= {"sign-ins", "token-service"}
    silent |= {"decision", "asks", "break-glass", "hook", "baseline"}
    silent |= {"requests"}
    # Secrets of a home with ten clients: tests/cli/test_protect.py, and
    # tests/laws/test_protection_documents.py.
    silent |= {"protect", "unprotect", "tighten", "loosen"}
    # What they record and print: tests/cli/test_kills.py.
    silent |= {"kill", "revive"}
    # What a backup contains without a passphrase: tests/deploy/test_backup.py. `health`
    # prints the reasons of a readiness page, and `store` counts.
    silent |= {"backup", "restore", "health", "store"}
    # What is issued to agents: tests/agent_credentials. `replay` prints numbers alone.
    silent |= {"aws", "replay", "kubectl-credential", "git-credential"}
    assert set(app.commands) - asked == silent
