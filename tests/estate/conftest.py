import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.estate.seven import Answer, Ask, Files, account, keys, mcp_config


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    root = tmp_path_factory.mktemp("seven")
    found = Files(root / "account.json", root / "keys.json", root / "home" / "dana")
    found.account.write_text(json.dumps(account()))
    found.keys.write_text(json.dumps(keys()))
    (found.home / ".cursor").mkdir(parents=True)
    (found.home / ".cursor" / "mcp.json").write_text(json.dumps(mcp_config()))
    return found


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the real command line in this process, as a user would type it."""

    def run(store: Path, *argv: str, json_out: bool = True) -> Answer:
        form = ["-o", "json"] if json_out else []
        capsys.readouterr()
        code = main(["--store", str(store), *form, *argv])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run
