"""`unprotect` after a client's file was moved or deleted."""

from pathlib import Path

import pytest

from answerable.services.protection.protection_plan import UndoOutcome
from answerable.usecases.protection.apply import apply_plan, undo
from tests.usecases.stranger_home import write_home
from tests.usecases.test_protection import outcomes, plan, write_one_server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_was_moved_or_deleted_comes_back_with_its_key(
    moved: bool, home: Path, state: Path
) -> None:
    path, original = write_one_server(home)
    apply_plan(plan(home, "cursor"), state)
    if moved:
        path.rename(path.with_suffix(".bak"))
    else:
        path.unlink()
    assert outcomes(state)["mcp.json"] is UndoOutcome.RESTORED
    assert path.read_bytes() == original
    assert undo(state) == ()
