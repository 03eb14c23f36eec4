"""The README opens with a picture of the page, and with the commands that show it."""

from pathlib import Path

LARGEST = 200_000  # bytes


def test_the_readme_opens_with_the_investigation_view_and_how_to_install_it(
    root: Path,
) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    opening = text[: text.index("`answerable` reads data that you already have")]
    assert "(docs/images/investigation.png)" in opening
    for command in ("pipx install", "uv tool install", "pip install"):
        assert command in opening
    assert opening.index("pipx install") < opening.index("answerable demo  ")
    assert "answerable demo --serve" in opening
    assert "`make demo`" in opening
    assert "`make demo ARGS=--serve`" in opening


def test_the_picture_is_a_small_png(root: Path) -> None:
    picture = (root / "docs" / "images" / "investigation.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < LARGEST


def test_the_command_that_makes_it_stands_in_the_makefile(root: Path) -> None:
    made = (root / "Makefile").read_text(encoding="utf-8")
    assert "tests.web.browser.readme_screenshot docs/images/investigation.png" in made
