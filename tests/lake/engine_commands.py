"""Commands that can use another engine, each with the question it is asked."""

import shutil
from pathlib import Path

from tests.lake.conftest import USER

# As the documentation shows them: rows, facets, windows, learning, findings.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("trace", "--limit", "7"),
    ("trace", "--action", "s3:*", "--resource", "*1.csv"),
    ("trace", "--resource", "arn:aws:s3:::warehouse/1.csv"),
    ("trace", "--identity", USER, "--outcome", "denied"),
    ("trace", "--query", "report outcome:denied", "--limit", "3"),
    ("trace", "--by", "action"),
    ("trace", "--by", "identity,outcome,day"),
    ("trace", "--by", "resource", "--since", "2026-11-01T00:20:00Z"),
    (*("trace", "--first-seen", "--since", "2026-11-01T00:30:00Z"),),
    (
        *(
            "trace",
            "--since",
            "2026-11-01T00:20:00Z",
            "--until",
            "2026-11-01T00:40:00Z",
        ),
        *("--compare", "2026-11-01T00:00:00Z..2026-11-01T00:20:00Z"),
    ),
    ("trace", "--unmediated"),
    ("trace", "--score"),
    ("least-privilege", USER),
    ("baseline", "learn", "report", "--cloud", "--identity", USER),
    ("findings",),
)
FEW = (COMMANDS[2], COMMANDS[6], COMMANDS[8], COMMANDS[13])


def forget_derived_data(store: Path) -> None:
    """Remove what was derived from events, so that the next command asks for it."""
    for path in (store / "derived").iterdir():
        if path.is_file():
            path.unlink()
        elif not path.name.startswith("spark-"):
            shutil.rmtree(path)
