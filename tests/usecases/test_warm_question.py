"""A question that `derived/` answers: which modules and rows it loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from tests.inventory.fact_builders import NOW

WHO_CAN = ["-o", "json", "who-can", "s3:GetObject", "arn:aws:s3:::northwind-x/y"]
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


def test_a_question_loads_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()
    assert main(WHO_CAN) == 0
    cold = json.loads(capsys.readouterr().out)["items"]
    warm = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *WHO_CAN],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(warm.stdout)["items"] == cold
    loaded = set(warm.stderr.split())
    assert "answerable.reach.aws.who_can" in loaded
    assert not loaded & set(UNUSED)
