"""The project says nothing of the machine or the registry that it was made on."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Files = Callable[[Path], list[Path]]

# Written in halves, so that this file does not hold what it looks for.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "deb." + "debian.org",
    "crates" + ".io/api",
    "proxy." + "golang.org",
]
OPTIONS = ["--" + "index-url", "--extra-" + "index-url", "--" + "find-links"]
MACHINE_PATH = re.compile(
    r"(?<![\w.~*-])/(?:wor" + r"k|roo" + r"t|tm" + r"p/bash_jobs)/"
)

# A flag that keeps addresses out has one of the words in its name.
KEEPS_OUT = re.compile(r"--no-emit-(?:index-url|find-" + "links)")


def addresses(root: Path, files: list[Path]) -> list[str]:
    """Name each line that holds a registry host, an index option or a machine path."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            bare = KEEPS_OUT.sub("", line)
            hits = [word for word in HOSTS + OPTIONS if word in bare.lower()]
            hits += MACHINE_PATH.findall(bare)
            found += [f"{path.relative_to(root)}:{number} {hit}" for hit in hits]
    return found


def test_no_file_holds_an_index_address_or_a_machine_path(
    root: Path, project_files: Files
) -> None:
    files = project_files(root)
    assert files
    assert addresses(root, files) == []


@pytest.mark.parametrize(
    "line",
    [
        "https://" + HOSTS[0] + "/simple",
        "https://files." + HOSTS[1] + "/x.whl",
        '"resolved": "https://' + HOSTS[2] + '.org/x.tgz"',
        OPTIONS[0] + " https://mirror.example/simple",
        OPTIONS[2] + " wheels",
        "see /wor" + "k/notes.md",
        "HOME=/roo" + "t/.cache",
    ],
)
def test_a_planted_address_is_named(
    planted_checkout: Path, project_files: Files, line: str
) -> None:
    (planted_checkout / "notes.txt").write_text(f"first\n{line}\n")
    found = addresses(planted_checkout, project_files(planted_checkout))
    assert found
    assert all(hit.startswith("notes.txt:2 ") for hit in found)


def test_other_paths_and_the_flags_that_keep_addresses_out_are_welcome(
    planted_checkout: Path, project_files: Files
) -> None:
    (planted_checkout / "fine.txt").write_text(
        "src/wor" + "k/x ~/wor" + "k/y --no-emit-" + "index-url /etc/passwd\n"
    )
    assert addresses(planted_checkout, project_files(planted_checkout)) == []


def test_an_ignored_file_is_no_file_of_the_project(
    planted_checkout: Path, project_files: Files
) -> None:
    (planted_checkout / ".gitignore").write_text("/.venv/\n")
    (planted_checkout / ".venv").mkdir()
    (planted_checkout / ".venv" / "x").write_text(HOSTS[0])
    assert addresses(planted_checkout, project_files(planted_checkout)) == []
