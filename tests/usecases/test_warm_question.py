"""A question that `derived/` answers: which modules and rows it loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.store import lineage_facts
from tests.inventory.fact_builders import NOW

WHO_CAN = ["-o", "json", "who-can", "s3:GetObject", "arn:aws:s3:::northwind-x/y"]
TRACE = ["-o", "json", "trace", "--since", "2020-01-01"]
# They compile policies, follow paths of all identities, or run other programs.
UNUSED = (
    "answerable.reach.aws.bulk.graph_compiler",
    "answerable.reach.aws.bulk.step_table",
    "answerable.reach.aws.bulk.incremental_update",
    "answerable.reach.aws.compiled.account_compiler",
    "answerable.lineage.chain_stitching",
    "answerable.store.lineage_facts",
    "concurrent.futures",
    "subprocess",
)
_LIST_MODULES = """
import sys
from answerable.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write("\\n".join(sys.modules))
sys.exit(code)
"""


@pytest.fixture
def sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store with the sample's account and trail, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    assert main(["--quiet", "ingest", "cloudtrail:trail"]) == 0
    capsys.readouterr()


def ask_again(words: list[str], cold: str) -> set[str]:
    """Ask in a process of its own; return the modules that it loaded."""
    warm = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *words],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(warm.stdout)["items"] == json.loads(cold)["items"]
    return set(warm.stderr.split())


def test_a_permission_query_loads_no_compiler(
    sampled: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(WHO_CAN) == 0
    loaded = ask_again(WHO_CAN, capsys.readouterr().out)
    assert "answerable.reach.aws.who_can" in loaded
    assert not loaded & set(UNUSED)


def test_a_trace_loads_no_connector_and_chains_alone(
    sampled: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(TRACE) == 0
    loaded = ask_again(TRACE, cold := capsys.readouterr().out)
    assert "answerable.usecases.lineage.trace" in loaded
    assert not loaded & {"answerable.connectors.registry", "yaml"}
    monkeypatch.setattr(lineage_facts, "_FACTS_DECODER", None)
    assert main(TRACE) == 0
    assert json.loads(capsys.readouterr().out)["items"] == json.loads(cold)["items"]
