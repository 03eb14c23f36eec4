"""Whatever goes wrong in a hook's process, it ends with 2: the one code that is a no.

Clients take every other code, and an end by a signal, for "go on".
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gateway.hook.test_clients import claude
from tests.gateway.hook.test_hook import CONFIG, POLICY

BLOCK = 2
CALL = json.dumps(claude(command="ls")).encode()
HOOK = '"$PY" -m answerable hook claude-code --config answerable.yaml'

# A shell line each; `ok` writes the call that is allowed to its standard input.
FAILURES = {
    "no standard input": f"{HOOK} <&-",
    "no standard output": f"{HOOK} <call >&-",
    "no streams": f"{HOOK} <&- >&- 2>&-",
    "a full disk": f"{HOOK} <call >/dev/full",
    "a full disk for both": f"{HOOK} <call >/dev/full 2>/dev/full",
    "empty input": f"{HOOK} </dev/null",
    "no JSON": f"echo '{{' | {HOOK}",
    "deep JSON": '"$PY" -c \'print("[" * 100000)\' | ' + HOOK,
    "input without end": f"head -c 40000000 /dev/zero | {HOOK}",
    "not UTF-8": f"printf '\\377\\376' | {HOOK}",
    "no file": HOOK.replace("answerable.yaml", "none.yaml") + " <call",
    "a file with faults": HOOK.replace("answerable.yaml", "broken.yaml") + " <call",
    "a folder for a file": HOOK.replace("answerable.yaml", ".") + " <call",
    "no option": '"$PY" -m answerable hook claude-code <call',
    "no client": '"$PY" -m answerable hook --config answerable.yaml <call',
    "another client": HOOK.replace("claude-code", "other") + " <call",
    "an unknown option": f"{HOOK} --nope <call",
    "an unknown form": HOOK.replace("hook", "-o nope hook") + " <call",
    "a store that is a file": HOOK.replace("hook", "--store call hook") + " <call",
    "a store that cannot be made": HOOK.replace("hook", "--store /proc/x hook")
    + " <call",
    "a word that is not UTF-8": f"{HOOK} \"$(printf '\\377')\" <call",
    "little memory": f"(ulimit -v 60000; {HOOK} <call)",
    "no open files": f"(ulimit -n 4; {HOOK} <call)",
    "no bytes of a file": f"(ulimit -f 0; {HOOK} <call)",
    "a broken package": f"PYTHONPATH=shadow {HOOK} <call",
    "a package that ends": f"PYTHONPATH=ends {HOOK} <call",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.cedar").write_text(POLICY)
    (tmp_path / "answerable.yaml").write_text(CONFIG.replace("MODE", "enforce"))
    (tmp_path / "broken.yaml").write_text("servers: [")
    (tmp_path / "call").write_bytes(CALL)
    for name, line in (
        ("shadow", "raise ImportError"),
        ("ends", "raise SystemExit(0)"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "click.py").write_text(line)
    return tmp_path


@pytest.mark.world
def test_whatever_fails_the_code_is_the_one_for_a_no(
    folder: Path, counted: list[str]
) -> None:
    wrong = {}
    for name, line in FAILURES.items():
        ran = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "PY": sys.executable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        counted.append("failure")
        if ran.returncode != BLOCK:
            wrong[name] = (ran.returncode, ran.stderr[-300:])
    assert not wrong, wrong


@pytest.mark.world
def test_whenever_a_signal_ends_it_the_code_is_the_one_for_a_no(
    folder: Path, counted: list[str]
) -> None:
    wrong = []
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM"):
        for after in (0.1, 0.25, 0.5, 1.5):
            process = subprocess.Popen(
                ["bash", "-c", f"exec {HOOK}"],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "PY": sys.executable},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            assert process.stdin is not None
            time.sleep(after)
            process.send_signal(signal.Signals[name])
            code = process.wait(60)
            process.stdin.close()
            counted.append(name)
            if code != BLOCK:
                wrong.append((name, after, code))
    assert not wrong, wrong
