"""`docs/inventory.md` lists what the tables list, no more and no less."""

from pathlib import Path

import pytest

from answerable.connectors.formats.agent_clients import (
    HOME_FILES,
    MANAGED_FILES,
    PROJECT_FILES,
)
from answerable.connectors.formats.built_in_tools import CLIENT_TOOLS
from answerable.connectors.formats.client_settings import SETTINGS
from answerable.connectors.formats.os_paths import PATH_MAPPINGS
from answerable.connectors.home.parse.ambient_files import AMBIENT_FILES
from answerable.connectors.repo.parse.github_workflow import (
    AGENT_ACTIONS,
    OUTSIDER_EVENTS,
)
from answerable.model.credential import CredentialClass


def client_table() -> str:
    rows = ["| client | in a home | in a project, at any depth |", "|---|---|---|"]
    clients = dict.fromkeys(e.client for e in (*HOME_FILES, *PROJECT_FILES))
    for client in clients:
        cells = [
            "<br>".join(f"`{e.path}`" for e in files if e.client == client)
            for files in (HOME_FILES, PROJECT_FILES)
        ]
        rows.append(f"| `{client}` | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def layout_table() -> str:
    rows = ["| Linux | macOS | Windows | source |", "|---|---|---|---|"]
    rows += [
        f"| `{row.linux}` | `{row.macos or row.linux}` | `{row.windows or row.linux}` "
        f"| <{row.source}> |"
        for row in PATH_MAPPINGS
    ]
    return "\n".join(rows)


def ambient_table() -> str:
    rows = ["| credential | path in a home |", "|---|---|"]
    for what in dict.fromkeys(entry.description for entry in AMBIENT_FILES):
        paths = [f"`{e.path}`" for e in AMBIENT_FILES if e.description == what]
        rows.append(f"| {what} | {'<br>'.join(paths)} |")
    return "\n".join(rows)


def unattended_table() -> str:
    rows = ["| client | setting | values |", "|---|---|---|"]
    for setting in SETTINGS:
        if setting.unattended:
            values = ", ".join(
                f"`{value}`" if value else "not set"
                for value in sorted(setting.unattended)
            )
            keys = " / ".join(setting.keys)
            others = " or ".join(
                f"`{' / '.join(other)}` is `{value}`"
                for other, value in setting.only_with
            )
            values += f", where {others}" if others else ""
            rows.append(f"| `{setting.client}` | `{keys}` | {values} |")
    return "\n".join(rows)


def built_in_table() -> str:
    rows = [
        "| client | shell | files | pages | rules are read in |",
        "|---|---|---|---|---|",
    ]
    for table in CLIENT_TOOLS:
        cells = [
            ", ".join(f"`{name}`" for name in names) or "-"
            for names in (table.commands, table.files, table.fetch)
        ]
        places = [each.keys for each in (*table.rules, *table.limits)]
        read = ", ".join(f"`{' / '.join(keys)}`" for keys in dict.fromkeys(places))
        client = f"[`{table.client}`]({table.page})"
        rows.append(f"| {client} | {' | '.join(cells)} | {read or 'no file'} |")
    return "\n".join(rows)


def actions() -> str:
    return "\n".join(f"- `{action}`" for action in AGENT_ACTIONS)


def events() -> str:
    return ", ".join(f"`{event}`" for event in sorted(OUTSIDER_EVENTS))


def managed() -> str:
    return "\n".join(f"- `{entry.path}`" for entry in MANAGED_FILES)


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "inventory.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "part",
    [
        client_table,
        built_in_table,
        layout_table,
        ambient_table,
        unattended_table,
        actions,
        events,
        managed,
    ],
)
def test_the_page_holds_each_table_as_the_code_has_it(page: str, part: object) -> None:
    assert callable(part)
    assert part() in page


def test_the_page_names_each_class_of_a_configuration(page: str) -> None:
    for cls in CredentialClass:
        if cls is not CredentialClass.RECORD:
            assert f"| `{cls.value}` |" in page
