"""SIGKILL at every step of `protect` and `unprotect` leaves old or new files."""

import subprocess
import sys
from pathlib import Path

from answerable.usecases.protection.apply import apply_plan, recover, undo
from answerable.usecases.protection.plan import build_protection_plan
from tests.usecases.kill_at_each_step import request_for
from tests.usecases.stranger_home import write_home


def contents(home: Path) -> dict[str, bytes]:
    """Files of the clients in a home, without what a killed write left over."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
        and ".config/answerable" not in str(path)
        and not path.name.endswith(".answerable-new")
    }


def test_sigkill_at_every_step_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    home = tmp_path / "whole" / "home"
    write_home(home)
    old = contents(home)
    apply_plan(build_protection_plan(request_for(home)), tmp_path / "whole/state")
    new = contents(home)
    command = [sys.executable, "-m", "tests.usecases.kill_at_each_step"]
    subprocess.run([*command, str(tmp_path / "kills")], check=True)
    places = [p for p in (tmp_path / "kills").iterdir() if (p / "step").exists()]
    steps = {(place / "step").read_text() for place in places}
    assert {"content", "journal", "record", "end"} <= steps
    assert {"rename .claude.json", "rename mcp.json", "write settings.json"} <= steps
    for place in places:
        home, state = place / "home", place / "state"
        prefixes = (str(tmp_path / "whole").encode(), str(place).encode())
        there = {
            path: data.replace(*reversed(prefixes))
            for path, data in contents(home).items()
        }
        for path, data in there.items():
            assert data in (old.get(path), new[path]), (place, path)
        recover(state)
        assert recover(state) == ""
        apply_plan(build_protection_plan(request_for(home)), state)
        again = build_protection_plan(request_for(home))
        assert (again.changes, again.secrets) == ((), ())
        undo(state)
        assert contents(home) == old
        assert not list(home.rglob("*.answerable-new"))
