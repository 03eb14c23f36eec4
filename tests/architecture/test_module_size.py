"""A module is read whole, so it stays short."""

from pathlib import Path

LIMIT = 400


def long_modules(root: Path) -> list[str]:
    """Name each Python file of more lines than the limit."""
    found = []
    for top in ("src", "scripts", "tests", "bench"):
        for path in sorted((root / top).rglob("*.py")):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LIMIT:
                found.append(f"{path.relative_to(root)} has {lines} lines")
    return found


def test_no_module_is_over_400_lines(root: Path) -> None:
    assert long_modules(root) == []


def test_a_module_of_401_lines_is_named(tmp_path: Path) -> None:
    source = tmp_path / "src" / "answerable"
    source.mkdir(parents=True)
    (source / "fits.py").write_text("x = 1\n" * 400)
    (source / "long.py").write_text("x = 1\n" * 401)
    assert long_modules(tmp_path) == ["src/answerable/long.py has 401 lines"]
