"""The page a user scripts against names everything there is, and what it shows runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints, is_typeddict

import click
import pytest

from answerable.cli.app import app
from answerable.model import document as shapes


def commands(
    group: click.Group, path: tuple[str, ...] = ("answerable",)
) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(app))
FIELDS = sorted(
    {
        field
        for shape in vars(shapes).values()
        if is_typeddict(shape)
        for field in get_type_hints(shape)
    }
)


@pytest.fixture(scope="session")
def page(root: Path) -> str:
    return (root / "docs" / "cli.md").read_text(encoding="utf-8")


def section_of(page: str, name: str) -> str:
    """The part of the page under a command's own head, empty when it has none."""
    for part in re.split(r"(?m)^(?=#{2,3} )", page):
        head = part.partition("\n")[0]
        if re.fullmatch(rf"### `{re.escape(name)}(?: [^`]*)?`", head):
            return part
    return ""


def undocumented_options(page: str, name: str, command: click.Command) -> list[str]:
    shared = page.partition("### Exit codes")[0]
    text = section_of(page, name)
    if name in LISTS:
        text += section_of(page, "answerable agents")
    missing = []
    for param in command.get_params(click.Context(command)):
        if isinstance(param, click.Option):
            missing += [
                option
                for option in param.opts
                if f"`{option}" not in text and f"`{option}" not in shared
            ]
    return missing


LISTS = {
    f"answerable {name}" for name in ("identities", "credentials", "people", "tools")
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_head_and_every_option_its_line(page: str, name: str):
    assert section_of(page, name), f"docs/cli.md has no head for {name}"
    assert undocumented_options(page, name, COMMANDS[name]) == []


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_document_is_named(page: str, field: str):
    assert f"`{field}`" in page


def test_a_command_or_option_left_out_of_the_page_is_noticed(page: str):
    gone = page.replace("`--expect", "`--except")
    can = COMMANDS["answerable can"]
    assert undocumented_options(gone, "answerable can", can) == ["--expect"]
    assert section_of(page, "answerable cant") == ""


def test_the_sources_named_are_the_ones_there_are(page: str):
    from answerable.connectors import table

    for verb, gives in (("scan", table.INVENTORY), ("ingest", table.EVENTS)):
        name = f"answerable {verb}"
        specs = [each.spec for each in table.CONNECTORS]
        there = {spec.name for spec in specs if spec.gives == gives}
        told = set(re.findall(r"(?m)^ *([a-z-]+):[A-Z]", COMMANDS[name].help or ""))
        assert told in (there, set()), f"{name} --help"
        text = section_of(page, name)
        assert all(f"`{source}" in text for source in there), "docs/cli.md"
        rows = set(re.findall(r"(?m)^\| `([a-z-]+):", text))
        assert rows in (there, set()), "docs/cli.md"
