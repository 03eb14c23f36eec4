"""Links of the docs: each leads somewhere, and the index leads to every page."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Files = Callable[[Path], list[Path]]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1[^\S\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ELSEWHERE = ("http://", "https://", "mailto:")


def dead_links(root: Path, files: list[Path]) -> list[str]:
    """Name each relative link of a Markdown file that leads nowhere."""
    found = []
    for path in files:
        if path.suffix != ".md" or "data" in path.relative_to(root).parts:
            continue
        text = CODE.sub("", FENCE.sub("", path.read_text(encoding="utf-8")))
        targets = LINK.findall(text) + PICTURE.findall(text)
        found += [
            f"{path.relative_to(root)}: {target}"
            for target in targets
            if not target.startswith(ELSEWHERE) and not _leads(root, path, target)
        ]
    return found


def _leads(root: Path, page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists() or not there.is_relative_to(root.resolve()):
        return False
    return not anchor or there.suffix != ".md" or anchor in _anchors(there)


def _anchors(page: Path) -> set[str]:
    """Spell the headings of a page the way forges spell them in anchors."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    anchors = set()
    for heading in HEADING.findall(text):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        anchors.add(kept.replace(" ", "-"))
    return anchors


def test_every_relative_link_leads_somewhere(root: Path, project_files: Files) -> None:
    files = project_files(root)
    assert any(path.suffix == ".md" for path in files)
    assert dead_links(root, files) == []


@pytest.mark.parametrize(
    "target", ["gone.md", "../docs/gone.md", "#nowhere", "there.md#nowhere", "/etc"]
)
def test_a_planted_dead_link_is_named(
    planted_checkout: Path, project_files: Files, target: str
) -> None:
    (planted_checkout / "there.md").write_text("# Some `words`, here\n")
    (planted_checkout / "page.md").write_text(
        f"# Page\n[ok](there.md#some-words-here) [ok](#page) [dead]({target})\n"
    )
    found = dead_links(planted_checkout, project_files(planted_checkout))
    assert found == [f"page.md: {target}"]


def test_links_in_code_and_links_to_other_sites_are_left_alone(
    planted_checkout: Path, project_files: Files
) -> None:
    (planted_checkout / "page.md").write_text(
        "`[a](gone.md)`\n```\n[b](gone.md)\n```\n[c](https://example.com/x)\n"
    )
    files = project_files(planted_checkout)
    assert dead_links(planted_checkout, files) == []


def _linked(page: Path) -> set[Path]:
    """Resolve the files that a page links to."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = (target.partition("#")[0] for target in LINK.findall(text))
    return {
        (page.parent / target).resolve()
        for target in targets
        if target and not target.startswith(ELSEWHERE)
    }


def unreachable_pages(root: Path) -> list[str]:
    """Name each page that is more than two clicks from the README."""
    first = _linked(root / "README.md")
    index = root / "docs" / "README.md"
    assert index.resolve() in first
    near = first | _linked(index)
    return [
        page.name
        for page in sorted((root / "docs").glob("*.md"))
        if page.resolve() not in near
    ]


def test_every_page_is_two_clicks_from_the_readme(root: Path) -> None:
    assert unreachable_pages(root) == []


def test_a_planted_page_without_a_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("[index](docs/README.md)\n")
    (tmp_path / "docs" / "README.md").write_text("[a](a.md#x)\n")
    (tmp_path / "docs" / "a.md").write_text("# A\n")
    (tmp_path / "docs" / "b.md").write_text("# B\n")
    assert unreachable_pages(tmp_path) == ["b.md"]
