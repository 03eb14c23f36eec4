"""Write the lock files in requirements/ from the tables of pyproject.toml.

Each lock carries hashes and no index address, so it installs from whichever
index or mirror a machine is set up with. Its header holds a digest of the
tables it was made from; an architecture test compares the two without a network.

Usage: lock_requirements.py [--exclude-newer SPAN_OR_DATE] [--only LOCK] -- UV...
where UV... is the command that runs uv. With --only, one lock is written, held to all
others, and the others keep their versions and get the new digest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Name of the lock -> what `uv pip compile` is told. Each lock is held to the
# versions of those before it, so that they can share one environment.
LOCKS: dict[str, list[str]] = {
    "core": ["pyproject.toml"],
    "aws": ["pyproject.toml", "--extra", "aws"],
    "k8s": ["pyproject.toml", "--extra", "k8s"],
    "gcp": ["pyproject.toml", "--extra", "gcp"],
    "keyring": ["pyproject.toml", "--extra", "keyring"],
    "ext-authz": ["pyproject.toml", "--extra", "ext-authz"],
    "otel": ["pyproject.toml", "--extra", "otel"],
    "postgres": ["pyproject.toml", "--extra", "postgres"],
    "lake": ["pyproject.toml", "--extra", "lake", "--group", "lake-limits"],
    "spark": ["pyproject.toml", "--extra", "spark"],
    "build": ["--group", "build"],
    "uv": ["--group", "bootstrap"],
    "dev": [
        *("pyproject.toml", "--extra", "aws", "--extra", "k8s", "--extra", "otel"),
        *("--extra", "postgres", "--extra", "ext-authz", "--extra", "keyring"),
        *("--extra", "lake", "--extra", "gcp"),
        *("--group", "dev"),
    ],
    "world": ["--group", "world"],
    "agentdojo": ["pyproject.toml", "--group", "agentdojo"],
    "envoy": ["--group", "envoy"],
    "fuzz": ["--group", "fuzz"],
    "peers": ["--group", "peers"],
    "compare": ["--group", "compare"],
}


def digest(pyproject: Path) -> str:
    """Return a SHA-256 over every table of `pyproject` that a lock depends on."""
    document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = document["project"]
    tables = {
        "requires-python": project["requires-python"],
        "dependencies": project["dependencies"],
        "optional-dependencies": project.get("optional-dependencies", {}),
        "dependency-groups": document.get("dependency-groups", {}),
        "build-requires": document["build-system"]["requires"],
    }
    canonical = json.dumps(tables, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def header(made_from: str) -> str:
    """Return the lines that open each lock."""
    return (
        "# Written by `make lock`; do not edit.\n"
        f"# pyproject-tables: sha256:{made_from}\n"
    )


def clean_environment() -> dict[str, str]:
    """Return the environment less what could steer the resolver or leak in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("UV_") and name != "VIRTUAL_ENV"
    }
    return kept | {"UV_PYTHON_DOWNLOADS": "never"}


def compile_lock(
    uv: list[str], name: str, earlier: list[str], exclude_newer: str, made_from: str
) -> None:
    """Resolve one lock, held to the `earlier` ones, and replace its file."""
    command = [*uv, "pip", "compile", "--quiet", "--no-config", "--universal"]
    command += ["--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-sources"]
    command += ["--python-version", "3.11", "--exclude-newer", exclude_newer]
    command += LOCKS[name]
    for other in earlier:
        command += ["--constraints", f"requirements/{other}.txt"]
    answer = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    target = ROOT / "requirements" / f"{name}.txt"
    target.parent.mkdir(exist_ok=True)
    target.write_text(header(made_from) + answer.stdout, encoding="utf-8")


def replace_header(name: str, made_from: str) -> None:
    """Give a lock whose own tables did not change the digest of all tables."""
    target = ROOT / "requirements" / f"{name}.txt"
    lines = target.read_text(encoding="utf-8").splitlines(keepends=True)
    start = len(header("").splitlines())
    target.write_text(header(made_from) + "".join(lines[start:]), encoding="utf-8")


def main(argv: list[str]) -> int:
    """Write every lock, core first."""
    parser = argparse.ArgumentParser(description="Write requirements/*.txt.")
    parser.add_argument("uv", nargs="+", help="the command that runs uv")
    parser.add_argument("--exclude-newer", default="7 days", metavar="SPAN_OR_DATE")
    parser.add_argument("--only", default="", choices=("", *LOCKS), metavar="LOCK")
    options = parser.parse_args(argv)
    made_from = digest(ROOT / "pyproject.toml")
    if options.only:
        others = [name for name in LOCKS if name != options.only]
        compile_lock(options.uv, options.only, others, options.exclude_newer, made_from)
        for name in others:
            replace_header(name, made_from)
        return 0
    done: list[str] = []
    for name in LOCKS:
        compile_lock(options.uv, name, done, options.exclude_newer, made_from)
        done.append(name)
        sys.stderr.write(f"requirements/{name}.txt\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
