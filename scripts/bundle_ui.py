"""npm bundle of the web page: `make ui`, and the build of each wheel.

Hatchling runs this as a build hook (docs/decisions/0030-npm-packages.md). An
editable install never runs npm. A wheel or sdist built where npm is absent or fails has
no bundle, says so in one line, and its pages answer all the same.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "web-ui"
BUILT = "src/answerable/web/assets/built"
DIGEST_FILE = "MADE_OF"
PATIENCE_S = 600
# Where a bundle must not be missing, as in a release: ANSWERABLE_UI=required.
REQUIRE_VARIABLE = "ANSWERABLE_UI"


class BundleUnavailable(Exception):  # noqa: N818 - what is said of a build, no fault
    """The bundle cannot be made; the message says why."""


def source_digest(root: Path) -> str:
    """Hash the sources of the bundle."""
    folder = root / SOURCES
    files = (folder / "package-lock.json", folder / "build.mjs", *folder.glob("src/*"))
    whole = hashlib.sha256()
    for file in sorted(files):
        if not file.is_file():
            raise BundleUnavailable(f"{file.relative_to(root)} is missing")
        body = file.read_bytes()
        whole.update(f"{file.name} {len(body)}\n".encode() + body)
    return whole.hexdigest()


def is_current(root: Path) -> bool:
    """Return whether the bundle is up to date."""
    stamp = root / BUILT / DIGEST_FILE
    return stamp.is_file() and stamp.read_text().strip() == source_digest(root)


def bundle(root: Path) -> None:
    """Build the bundle, unless it is up to date.

    Raises:
        BundleUnavailable: npm is absent or failed.
    """
    if is_current(root):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BundleUnavailable("npm is not on PATH")
    out = root / BUILT
    shutil.rmtree(out, ignore_errors=True)
    _run_npm(root, npm, "ci", "--loglevel=error", "--fetch-retries=1")
    _run_npm(root, npm, "run", "--silent", "build", "--", str(out.resolve()))
    (out / DIGEST_FILE).write_text(source_digest(root) + "\n")


def _run_npm(root: Path, npm: str, *words: str) -> None:
    said = f"npm {words[0]}"
    try:
        done = subprocess.run(
            [npm, *words],
            cwd=root / SOURCES,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleUnavailable(
            f"{said} did not run: {type(error).__name__}"
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise BundleUnavailable(
            f"{said} failed: {lines[0] if lines else done.returncode}"
        )


class BundleHook(BuildHookInterface[Any]):
    """Build hook that adds the bundle to wheel and sdist, or reports its absence."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle before files are gathered; `version` is `editable` or `standard`."""
        if version == "editable":
            return
        try:
            bundle(Path(self.root))
        except BundleUnavailable as reason:
            if os.environ.get(REQUIRE_VARIABLE) == "required":
                raise
            self.app.display_warning(describe_missing(reason))
            return
        build_data["artifacts"].append(f"/{BUILT}/*")


def describe_missing(reason: BundleUnavailable) -> str:
    """Describe in one line a build without the bundle."""
    return (
        f"answerable: built without the bundle of the web page ({reason}); "
        "its pages answer, without graphs that move and without updates in place"
    )


def main() -> int:
    """Bundle, for `make ui`."""
    try:
        bundle(Path(__file__).parent.parent)
    except BundleUnavailable as reason:
        print(f"error: no bundle ({reason}, expected npm and its registry)")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
