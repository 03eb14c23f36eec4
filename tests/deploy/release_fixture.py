"""Store and control database as a release wrote them, and its answers.

`python -m tests.deploy.release_fixture VERSION` writes them with the present code, once
for each release, and never again.
"""

import contextlib
import io
import json
import shutil
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from answerable.cli.main import main
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.sample_rows import (
    NOW,
    open_chain,
    signing_key,
)

FOLDER = Path(__file__).parents[1] / "data" / "releases"
DATA = FOLDER.parent
USER = "arn:aws:iam::111122223333:user/report-job"
# Questions with the same rows at any later time.
QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("identities",),
    ("credentials",),
    ("trace", "--limit", "50"),
    ("reach", "--all"),
    (
        "sql",
        "SELECT action, count(*) AS events FROM lineage GROUP BY action ORDER BY 1",
    ),
    ("evidence", "verify"),
)


def ask(store: Path, words: tuple[str, ...]) -> list[object]:
    """Return exit code and items of an answer."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["--store", str(store), "--allow-partial", *words, "-o", "json"])
    return [code, json.loads(out.getvalue())["items"]]


def write_release(version: str) -> None:
    """Write the fixture of a release."""
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        folder = Path(version)
        (folder / "empty").mkdir(parents=True)
        shutil.copy(DATA / "aws" / "account.json", "account.json")
        shutil.copytree(DATA / "cloudtrail", "trail")
        store = folder / "store"
        words = ("--store", str(store), "--allow-partial", "--quiet")
        main([*words, "scan", "aws:account.json", f"repo:{folder / 'empty'}"])
        main([*words, "ingest", "cloudtrail:trail"])
        with closing(SqliteTokenState(folder / "sts", NOW)) as state:
            open_chain(state, 3)
            state.publish_signing_key(signing_key("kid-1"))
        answers = {" ".join(words): ask(store, words) for words in QUESTIONS}
        (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
        shutil.rmtree(store / "derived", ignore_errors=True)
        with tarfile.open(FOLDER / f"{version}.tar.gz", "w:gz") as archive:
            archive.add(folder, version)


if __name__ == "__main__":
    write_release(sys.argv[1])
