import json
import os
import subprocess
import sys
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


@pytest.fixture
def ask_apart(tmp_path: Path) -> Ask:
    """Run it in a process of its own; `peak` is what its largest process held, MiB."""

    def run(store: Path, *argv: str) -> Answer:
        words = [sys.executable, "-m", "answerable", "--store", str(store)]
        names = (tmp_path / "apart.out", tmp_path / "apart.err")
        with names[0].open("wb") as out, names[1].open("wb") as err:
            child = subprocess.Popen(
                [*words, "-o", "json", *argv], stdout=out, stderr=err
            )
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        kib = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        texts = [name.read_text() for name in names]
        return Answer(child.returncode, *texts, peak=kib / 1024)

    return run
