"""What a later reading of the file changes in a process that runs."""

from pathlib import Path

import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.server.restart_only_settings import (
    list_restart_only_changes,
    resolve_store_folder,
)
from answerable.store.store import EvidenceStore
from answerable.web.runtime.settings import load_settings

NAMED, FILED, USUAL = Path("/named"), Path("/filed"), Path("/usual")


def test_what_a_running_process_cannot_change_is_named(tmp_path: Path) -> None:
    first, other = tmp_path / "first", tmp_path / "other"
    for each in (first, other):
        EvidenceStore.open(each, now=0).close()
    plan = load_settings("", first, USUAL)
    assert list_restart_only_changes(plan, load_settings("", first, USUAL)) == []
    moved = load_settings("", first, USUAL, "127.0.0.1:9")
    assert list_restart_only_changes(plan, moved) == ["web.listen"]
    later = load_settings("", other, USUAL)
    assert list_restart_only_changes(plan, later) == ["web.state", "store"]


@pytest.mark.parametrize(
    ("named", "filed", "expected"),
    [(NAMED, FILED, NAMED), (None, FILED, FILED), (None, "", USUAL)],
)
def test_the_command_line_names_the_store_before_the_file_does(
    named: Path | None, filed: Path | str, expected: Path
) -> None:
    text = f"store: {filed}\n" if filed else "limits: {}\n"
    config = parse_config(text.encode(), "answerable.yaml", "/").config
    assert config is not None
    assert resolve_store_folder(config, named, USUAL) == expected
