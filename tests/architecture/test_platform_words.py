"""Reach code of commands, pages and use cases knows no permission platform."""

import re
from pathlib import Path

import pytest

PLACES = (
    "cli/commands/reach.py",
    "cli/commands/what_if.py",
    "cli/render/conditions.py",
    "cli/render/permissions.py",
    "cli/render/policy_edits.py",
    "reach/engine.py",
    "reach/platform.py",
    "usecases/reach",
    "web/pages/reach",
)
WORDS = re.compile(
    r"(?<![a-z])(aws|amazon\w*|arns?|iam|kms|lambda|rcps?|s3|scps?|sts|vpc|postgres\w*)(?![a-z])",
    re.IGNORECASE,
)
# The use cases that only AWS answers are in a place of its name.
ALLOWED = re.compile(
    r"answerable\.usecases\.aws_permissions|cli\.commands\.compare_aws|AwsComparison"
    r"|lambda(?= \w|:)"
)


def platform_words(root: Path) -> list[str]:
    """List each line with a platform's word: its place, and the word."""
    found = []
    for place in PLACES:
        path = root / "src" / "answerable" / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            lines = file.read_text(encoding="utf-8").splitlines()
            found += [
                f"{file.relative_to(root)}:{number} {word}"
                for number, line in enumerate(lines, 1)
                for word in WORDS.findall(ALLOWED.sub("", line))
            ]
    return found


def test_reach_code_names_no_platform(root: Path) -> None:
    assert platform_words(root) == []


@pytest.mark.parametrize("line", ["key.startswith('arn:')", "# an SCP", "import aws_x"])
def test_a_word_of_a_platform_is_named(line: str, tmp_path: Path) -> None:
    for place in PLACES:
        path = tmp_path / "src" / "answerable" / place
        path = path if path.suffix else path / "module.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    planted = tmp_path / "src/answerable/web/pages/reach/module.py"
    planted.write_text(f"{line}\n", encoding="utf-8")
    (found,) = platform_words(tmp_path)
    assert found.startswith("src/answerable/web/pages/reach/module.py:1 ")
