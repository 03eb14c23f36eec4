"""The page a user scripts against names everything there is, and what it shows runs."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import get_type_hints, is_typeddict

import click
import pytest

from answerable.cli.app import app
from answerable.model import documents
from answerable.model.documents.registry import get_item_type_of_document_kind
from answerable.model.errors import UsageError
from tests.cli.field_tables import PAGE, TABLE, derived, field_table

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
]


def commands(
    group: click.Group, path: tuple[str, ...] = ("answerable",)
) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(app))
SHAPES = [
    shape
    for module in iter_modules(documents.__path__)
    # The items of the HTTP API alone are in docs/api.md.
    if module.name != "web"
    for shape in vars(import_module(f"{documents.__name__}.{module.name}")).values()
    if is_typeddict(shape) and shape.__name__ != "PatternUsageItem"
]
FIELDS = sorted({field for shape in SHAPES for field in get_type_hints(shape)})


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


def test_every_field_of_a_document_is_named(page: str):
    assert [field for field in FIELDS if f"`{field}`" not in page] == []


def test_every_field_table_is_the_declared_one(page: str):
    assert {"agents", "credentials"} <= {kind for kind, _ in TABLE.findall(page)}
    assert page == derived(page), "run python -m tests.cli.field_tables"


@pytest.mark.parametrize(
    "kind", sorted({k for k, _ in TABLE.findall(PAGE.read_text())})
)
def test_every_field_of_a_table_is_described(kind: str):
    rows = field_table(get_item_type_of_document_kind(kind)).splitlines()
    assert not [row for row in rows if row.endswith("|  |")]


def test_a_command_or_option_left_out_of_the_page_is_noticed(page: str):
    gone = page.replace("`--expect", "`--except")
    can = COMMANDS["answerable can"]
    assert undocumented_options(gone, "answerable can", can) == ["--expect"]
    assert section_of(page, "answerable cant") == ""


def test_the_sources_named_are_the_ones_there_are(page: str):
    from answerable.connectors import registry

    for verb, gives in (("scan", registry.INVENTORY), ("ingest", registry.EVENTS)):
        name = f"answerable {verb}"
        specs = [each.spec for each in registry.CONNECTORS]
        there = {spec.name for spec in specs if spec.gives == gives}
        told = set(re.findall(r"(?m)^ *([a-z0-9-]+):[A-Z]", COMMANDS[name].help or ""))
        assert told in (there, set()), f"{name} --help"
        text = section_of(page, name)
        assert all(f"`{source}" in text for source in there), "docs/cli.md"
        rows = set(re.findall(r"(?m)^\| `([a-z0-9-]+):", text))
        assert rows in (there, set()), "docs/cli.md"


def shown_commands(text: str) -> list[str]:
    """Every command in a block of a page."""
    found = []
    for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```", text):
        if language in ("sh", "console", "", "text"):
            for line in block.splitlines():
                if language in ("", "text") and not line.startswith("$ "):
                    continue
                bare = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
                if bare.startswith("answerable "):
                    found.append(bare.partition("   #")[0].partition(" | ")[0])
    return found


def parses(shown: str) -> None:
    """Parse a command as the command line would, and run nothing."""
    words = shlex.split(shown, comments=True)[1:]
    command: click.Command = app
    with contextlib.suppress(click.exceptions.Exit):
        context = app.make_context("answerable", words)
        while isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            name, found, words = command.resolve_command(context, rest)
            assert found is not None
            command = found
            context = command.make_context(name, words, parent=context)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_shown_on_a_page_parses(root: Path, name: str):
    for shown in shown_commands((root / name).read_text(encoding="utf-8")):
        try:
            parses(shown)
        except (click.UsageError, UsageError) as error:
            pytest.fail(f"{name}: {shown}: {error}")


@pytest.mark.parametrize("shown", ["answerable scna", "answerable can a b c --wat"])
def test_a_shown_command_that_does_not_exist_is_noticed(shown: str):
    assert shown_commands(f"```sh\n{shown}   # why\n```\n") == [shown]
    with pytest.raises(click.UsageError):
        parses(shown)
