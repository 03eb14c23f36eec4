"""More identities than a command follows: it answers each by itself, and says so."""

import json
from pathlib import Path
from typing import NoReturn

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.errors import UsageError
from answerable.reach.aws import compiled_graph
from answerable.reach.platform import PolicyEdit
from answerable.services.inventory import snapshots
from answerable.services.reach.platform_registry import AWS
from answerable.store import stored_facts
from answerable.store.store import EvidenceStore
from answerable.store.stored_facts import StoredFacts
from answerable.usecases.reach.what_if import compare_policy_edit

NOW = 1_795_000_000_000_000_000
ROLE = "arn:aws:iam::111122223333:role/ci-deploy"
CALL = ("s3:DeleteBucket", "arn:aws:s3:::northwind-reports")


@pytest.fixture
def sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_AT_COMMAND", 3)
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("sample")
def test_paths_that_a_command_does_not_follow_are_disclosed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in ("compiled", "restored"):
        assert main(["-o", "json", "who-can", *CALL]) == 0
        who = json.loads(capsys.readouterr().out)
        assert "paths" in who["coverage"]["not_collected"]
        assert not any(item["path"] for item in who["items"])
        assert main(["-o", "json", "can", "ci-deploy", *CALL]) == 0
        (item,) = json.loads(capsys.readouterr().out)["items"]
        assert "paths" in item["coverage"]["not_collected"]
        assert main(["-o", "json", "can", "--direct", "ci-deploy", *CALL]) == 0
        (item,) = json.loads(capsys.readouterr().out)["items"]
        assert "paths" not in item["coverage"]["not_collected"]


@pytest.mark.usefixtures("sample")
def test_a_question_that_needs_every_path_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reach", "--all"]) != 0
    said = capsys.readouterr().err
    assert "too many identities to follow every path (got" in said
    assert "hint: scan fewer accounts" in said


@pytest.mark.usefixtures("sample")
def test_a_removed_statement_is_compared_for_one_subject(
    capsys: pytest.CaptureFixture[str],
) -> None:
    statement = "inline of user/report-bot (statement 3)"
    for _ in ("compiled", "restored"):
        assert (
            main(["-o", "json", "what-if", "report-bot", "--without", statement]) == 0
        )
        found = json.loads(capsys.readouterr().out)
        assert {item["change"] for item in found["items"]} == {"falls-away"}
        assert all("paths" in item["assuming"] for item in found["items"])
        assert not any(item["path"] for item in found["items"])
        assert "paths" in found["coverage"]["not_collected"]
    for words in (["--all", "--without", statement], ["report-bot", "--without", "x"]):
        assert main(["what-if", *words]) != 0
    said = capsys.readouterr().err
    assert "too many identities to follow every path" in said
    assert "no such statement (got 'x'" in said


@pytest.mark.usefixtures("sample")
def test_a_server_compares_a_removed_statement_for_one_subject(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_FOLLOWED", 3)
    edit = PolicyEdit(statements=("inline of user/report-bot (statement 3)",))
    with EvidenceStore.open(Path("store"), now=NOW) as store:
        inventory = snapshots.load_inventory(store, now=NOW)
        AWS.compile_snapshot(inventory, None)
        found = compare_policy_edit(inventory, "report-bot", edit, now=NOW)
        assert {item["change"] for item in found.items} == {"falls-away"}
        with pytest.raises(UsageError, match="every path"):
            compare_policy_edit(inventory, "", edit, now=NOW)


@pytest.fixture
def two_accounts(
    sample: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scan a second account; the snapshot is derived account by account."""
    account = Path("aws/account.json").read_text(encoding="utf-8")
    other = account.replace("111122223333", "999900001111")
    Path("aws/other.json").write_text(other, encoding="utf-8")
    assert main(["--quiet", "scan", "aws:aws/other.json"]) == 0
    monkeypatch.setattr(stored_facts, "IDENTITIES_PER_PART", 1)
    capsys.readouterr()


@pytest.mark.usefixtures("two_accounts")
def test_an_edit_for_one_subject_reads_no_kind_of_facts_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-o", "json", "can", ROLE, *CALL]) == 0  # derives the snapshot
    read_kind = StoredFacts.read_kind

    def read(facts: StoredFacts, name: str) -> tuple[object, ...]:
        assert name not in ("identities", "policies", "attachments"), name
        return read_kind(facts, name)

    monkeypatch.setattr(StoredFacts, "read_kind", read)
    user = ROLE.replace("role/ci-deploy", "user/report-bot")
    policy = f"{user}#inline/inline"
    for edit in (("--without", f"{policy}#3"), ("--without-policy", policy)):
        assert main(["what-if", user, *edit]) == 0
    capsys.readouterr()
    for edit in (("--without", "x"), ("--without-policy", "x")):
        assert main(["what-if", user, *edit]) == 2
        assert "no such" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("reach", "--all"),
        ("what-if", ROLE, "--cuts", CALL[1]),
        ("what-if", "--all", "--with", "policy.json", "--on", ROLE),
        ("what-if", ROLE, "--with", "policy.json"),
    ],
)
@pytest.mark.usefixtures("two_accounts")
def test_a_refused_question_compiles_no_snapshot_in_memory(
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It would need more memory than most machines have."""
    Path("policy.json").write_text('{"Statement": []}', encoding="utf-8")

    def fail(*_: object) -> NoReturn:
        raise AssertionError("all of it was compiled")

    monkeypatch.setattr(compiled_graph, "_compile_snapshot_graph", fail)
    capsys.readouterr()
    assert main([*words]) != 0
    said = capsys.readouterr().err
    assert "too many identities to follow every path (got" in said
