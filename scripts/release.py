"""Build a release: wheel and sdist twice, compared; checksums, SBOM and notes.

Usage: release.py UV VERSION OUT

Nothing is published and nothing is signed here: the CI recipe signs what this writes.

- The version of the package, the tag and the changelog must agree.
- Both builds come from a clean export of the commit, in different folders and with
  different umasks and time zones; their bytes must be the same.
- The SBOM (CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/) lists each locked
  package of `requirements/core.txt` with its hashes, and each npm package of the bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ((0o022, "UTC"), (0o077, "Asia/Tokyo"))
_PIN = re.compile(r"(?s)([A-Za-z0-9._-]+)==([^ ;\\\n]+).*")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class ReleaseError(Exception):
    """Reason that this is not a release."""


def check_version(root: Path, version: str) -> str:
    """Check that package and changelog have the version; return the notes.

    Raises:
        ReleaseError: They differ, or the changelog says that it is unreleased.
    """
    code = (root / "src" / "answerable" / "__init__.py").read_text("utf-8")
    project = (root / "pyproject.toml").read_text("utf-8")
    if f'__version__ = "{version}"' not in code or (
        f'\nversion = "{version}"\n' not in project
    ):
        raise ReleaseError(f"the package does not have version {version}")
    for section in (root / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]:
        heading, _, notes = section.partition("\n")
        if heading.partition(" ")[0] == version:
            if "unreleased" in heading:
                raise ReleaseError(f"the changelog calls {version} unreleased")
            return notes.strip() + "\n"
    raise ReleaseError(f"the changelog has no section {version}")


def read_lock(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, version and SHA-256 digests of each locked package."""
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock):
        pin = _PIN.fullmatch(block)
        if pin:
            yield pin[1].lower(), pin[2], _HASH.findall(block)


def build_sbom(root: Path, version: str, at: datetime) -> dict[str, Any]:
    """Build the CycloneDX document."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{number}",
            "name": name,
            "version": number,
            "purl": f"pkg:pypi/{name}@{number}",
            "hashes": [{"alg": "SHA-256", "content": each} for each in digests],
        }
        for name, number, digests in read_lock(
            (root / "requirements" / "core.txt").read_text("utf-8")
        )
    ]
    lock = json.loads((root / "web-ui" / "package-lock.json").read_text("utf-8"))
    for path, facts in sorted(lock["packages"].items()):
        if path and not facts.get("dev"):
            name, number = path.rpartition("node_modules/")[2], facts["version"]
            purl = f"pkg:npm/{name.replace('@', '%40')}@{number}"
            components.append(
                {
                    "type": "library",
                    "bom-ref": purl,
                    "name": name,
                    "version": number,
                    "purl": purl,
                }
            )
    own = f"pkg:pypi/answerable@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own)}",
        "version": 1,
        "metadata": {
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "answerable",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": own, "dependsOn": [each["bom-ref"] for each in components]}
        ],
    }


def build_twice(uv: Sequence[str], source: Path, out: Path, epoch: int) -> None:
    """Build wheel and sdist twice, and keep one pair.

    Raises:
        ReleaseError: A build fails, or the bytes differ.
    """
    found: list[dict[str, bytes]] = []
    for number, (umask, zone) in enumerate(BUILDS):
        with tempfile.TemporaryDirectory(prefix="b" * (number + 1)) as made:
            place, target = Path(made) / "source", Path(made) / "dist"
            with tarfile.open(source) as archive:
                archive.extractall(place, filter="data")
            environment = {
                **os.environ,
                "SOURCE_DATE_EPOCH": str(epoch),
                "TZ": zone,
                "ANSWERABLE_UI": "required",
                "VIRTUAL_ENV": str(ROOT / ".venv"),
            }
            words = [*uv, "build", "--no-build-isolation", "--out-dir", str(target)]
            done = subprocess.run(
                [*words, str(place)],
                env=environment,
                umask=umask,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ReleaseError(f"the build failed:\n{done.stderr[-2000:]}")
            files = (*target.glob("*.whl"), *target.glob("*.tar.gz"))
            found.append({path.name: path.read_bytes() for path in files})
    first, second = found
    if different := [name for name in first if first[name] != second.get(name)]:
        raise ReleaseError(f"two builds differ: {', '.join(sorted(different))}")
    for name, data in first.items():
        (out / name).write_bytes(data)


def release(uv: Sequence[str], root: Path, version: str, out: Path) -> None:
    """Write the files of a release.

    Raises:
        ReleaseError: The commit is no release, or its builds differ.
    """
    notes = check_version(root, version)
    git = ["git", "-C", str(root)]
    epoch = int(subprocess.check_output([*git, "log", "-1", "--format=%ct"]))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        source = Path(made) / "source.tar"
        subprocess.run([*git, "archive", "-o", str(source), "HEAD"], check=True)
        build_twice(uv, source, out, epoch)
    sbom = build_sbom(root, version, datetime.fromtimestamp(epoch, UTC))
    name = f"answerable-{version}.cdx.json"
    (out / name).write_text(json.dumps(sbom, indent=1) + "\n", "utf-8")
    (out / "NOTES.md").write_text(notes, "utf-8")
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files)
    (out / "SHA256SUMS").write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    try:
        release(sys.argv[1:-2], ROOT, sys.argv[-2], Path(sys.argv[-1]))
    except ReleaseError as refused:
        sys.exit(f"error: {refused}")
