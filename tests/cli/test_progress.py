"""A bar is drawn on a terminal, and nowhere else."""

import io
from types import SimpleNamespace

import pytest

from answerable.cli import progress
from answerable.cli.settings import Settings
from answerable.model.connector import no_progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    stream = _Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    return stream


def test_a_bar_fits_the_terminal_and_leaves_no_trace(terminal: _Terminal) -> None:
    with progress.bar(Settings()) as draw:
        draw(1, 4, "trail/" + "x" * 200 + "\x1b[2J")
        draw(7, 0, "records")
        draw(9, 4, "more than there is")
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[0] == ""
    assert drawn[1].startswith("[######..................]  25% trail/")
    assert drawn[2] == "7 records"
    assert drawn[3].startswith("[########################] 100%")
    assert drawn[-1] == ""
    assert all(len(line) < 60 and "\x1b" not in line for line in drawn)


def test_nothing_is_drawn_where_nobody_looks(
    terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.bar(Settings(quiet=True)) as draw:
        assert draw is no_progress
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=io.StringIO()))
    with progress.bar(Settings()) as draw:
        assert draw is no_progress
    assert terminal.getvalue() == ""
