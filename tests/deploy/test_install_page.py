"""The wheel as docs/install.md installs it: the demo, the completion, the manual page."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.installed_wheel import ROOT, UV

pytestmark = pytest.mark.world


def test_the_demo_runs_from_the_installed_wheel(
    installed: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(installed / "answerable"), "demo"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "this step ended" not in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "bash-completion/completions/answerable",
        "zsh/site-functions/_answerable",
        "fish/vendor_completions.d/answerable.fish",
        "man/man1/answerable.1",
    ],
)
def test_the_prefix_has_completion_and_manual_page(installed: Path, name: str) -> None:
    assert (installed.parent / "share" / name).stat().st_size


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(
    "platform",
    ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin"],
)
def test_every_locked_wheel_exists(version: str, platform: str, tmp_path: Path) -> None:
    target = [UV, "pip", "install", "--dry-run", "--target", str(tmp_path / "site")]
    kind = ["--python-version", version, "--python-platform", platform]
    locked = ["--only-binary", ":all:", "--require-hashes"]
    core = ["-r", str(ROOT / "requirements" / "core.txt")]
    done = subprocess.run(
        [*target, *kind, *locked, *core], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr
