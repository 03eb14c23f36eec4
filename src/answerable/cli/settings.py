"""Parse the options that all commands share: store, snapshot and output format."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from answerable import __version__
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("table", "json", "ndjson", "csv")
# Formats of other tools, each for some documents alone.
EXPORT_FORMATS = ("sarif", "ocsf", "markdown", "mermaid")


@dataclass(slots=True)
class Settings:
    """Shared options of all commands, before or after the command name.

    Attributes:
        store: `DIR` or `DIR@SNAPSHOT`, empty for the default.
        output: One of `FORMATS`.
        quiet: No progress, warnings or hints.
        debug: Show where an internal error happened.
        allow_partial: Exit 0 although a source could not be read completely.
        coverage: Show the full coverage below a table.
        columns: Comma-separated columns of a table or CSV, empty for the usual ones.
        sort: Column to sort by, with `-` for descending.
        wide: Show all columns of a table, and no line is cut or wrapped.
        is_repeatable: The command has changed and printed nothing yet.
    """

    store: str = ""
    output: str = "table"
    quiet: bool = False
    debug: bool = False
    allow_partial: bool = False
    coverage: bool = False
    columns: str = ""
    sort: str = ""
    wide: bool = False
    is_repeatable: bool = True


def find_store(settings: Settings) -> tuple[Path, str]:
    """Find the store's folder and the snapshot named with it.

    `--store`, else `$ANSWERABLE_STORE`, else `$XDG_DATA_HOME/answerable`, else
    `~/.local/share/answerable`. Never the working directory unless it is named: a
    cloned repository must not be able to plant a store.

    The folder of a store in object storage (`s3://BUCKET/PREFIX`) is its journal and
    cache.

    Raises:
        UsageError: No home directory is known and no store was named, or the address
            is none of a store.
    """
    named = settings.store or os.environ.get("ANSWERABLE_STORE", "")
    if named.startswith("s3://"):
        from answerable.cli.object_storage import bind_local_folder

        return bind_local_folder(named, find_data_home())
    if "://" in named:
        from answerable.connectors.s3_location import refuse_other_scheme

        refuse_other_scheme(named, "a store")
    if named:
        return split_store_and_snapshot(named)
    return find_data_home() / "answerable", ""


def find_data_home() -> Path:
    """Find the folder of a user's data: `$XDG_DATA_HOME`, else `~/.local/share`.

    Raises:
        UsageError: No home directory is known.
    """
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification ignores relative paths; that also excludes the working
    # directory.
    if data and Path(data).is_absolute():
        return Path(data)
    return find_home() / ".local" / "share"


def find_named_and_default_store(settings: Settings) -> tuple[Path | None, Path | None]:
    """Find the named and the default store of a command with a configuration.

    Returns:
        The named store, None if none is named; and the default one, None if no home
        directory is known.

    Raises:
        UsageError: The named store is invalid.
    """
    try:
        usual, _ = find_store(settings)
    except HomeUnknown:
        return None, None
    return (usual if settings.store else None), usual


class HomeUnknown(UsageError):  # noqa: N818 - an outcome
    """No home directory is known, and no store was named."""


def find_home() -> Path:
    """Find the home directory.

    Raises:
        HomeUnknown: There is none.
    """
    try:
        found = Path.home()
    except RuntimeError:
        found = Path()
    if not found.is_absolute():
        raise HomeUnknown("no home directory is known", "name a store: --store DIR")
    return found


def split_store_and_snapshot(store: str) -> tuple[Path, str]:
    """Split `DIR@SNAPSHOT` into the folder and the snapshot name."""
    whole = expand_user_path(store)
    folder, at, snapshot = store.rpartition("@")
    # A folder whose own name has an @ takes precedence over a snapshot name.
    if not at or not folder or "/" in snapshot or whole.is_dir():
        return whole.absolute(), ""
    if not snapshot:
        raise UsageError(
            f"missing snapshot after the @ (got {store!r}, expected DIR@SNAPSHOT)",
            "answerable scan prints the name of each snapshot",
        )
    return expand_user_path(folder).absolute(), snapshot


class WordChoice(click.ParamType[str]):
    """Option type for a few allowed values, with a suggestion for a misspelled one.

    Attributes:
        words: Values, as listed in help and completion.
        aliases: Other spellings of values, accepted but not listed.
    """

    name = "word"

    def __init__(
        self, words: Sequence[str], aliases: Mapping[str, str] | None = None
    ) -> None:
        self.words = tuple(words)
        self.aliases = aliases or {}

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Accept one of the allowed values, in upper or lower case."""
        text = str(value)
        word = self.aliases.get(text.lower(), text.lower())
        if word in self.words or word in self.aliases.values():
            return word
        if not text and not isinstance(param, click.Argument):
            return ""
        from difflib import get_close_matches

        near = get_close_matches(text.lower(), self.words, 1)
        raise UsageError(
            f"invalid value for {get_option_name(param)} "
            f"(got {text!r}, expected {', '.join(self.words)})",
            f"did you mean {near[0]}?" if near else format_help_hint(ctx),
        )

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the allowed values."""
        return "|".join(self.words)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Complete to the allowed values."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(w) for w in self.words if w.startswith(incomplete)]


def format_help_hint(ctx: click.Context | None) -> str:
    """Return the command that prints the help of the current command."""
    return f"{ctx.command_path if ctx is not None else 'answerable'} --help"


def get_option_name(param: click.Parameter | None) -> str:
    """Return an option's longest spelling (`--limit`), for messages."""
    if param is None:
        return "this option"
    names = [*param.opts, *param.secondary_opts]
    return max(names, key=len) if names else str(param.name)


def _set_shared_option(
    ctx: click.Context, param: click.Parameter, value: object
) -> None:
    """Store the value of a shared option in the settings (click callback)."""
    if value and param.name:
        setattr(ctx.ensure_object(Settings), param.name, value)


def _print_version(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Print the version and exit (click callback)."""
    if value:
        click.echo(f"answerable {__version__}")
        ctx.exit()


def _build_shared_options() -> list[click.Parameter]:
    """Build the options that are accepted before or after a command's name."""
    return [
        click.Option(
            ["--store"],
            metavar="DIR[@SNAPSHOT]",
            help="Store folder, or s3://BUCKET/PREFIX; add @SNAPSHOT to read one of its "
            "snapshots.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["-o", "--output"],
            type=WordChoice(FORMATS, {each: each for each in EXPORT_FORMATS}),
            metavar="FORM",
            help=f"{', '.join(FORMATS)}; [default: a table]",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            help="Print only the result, without progress, warnings or hints.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--allow-partial"],
            is_flag=True,
            help="Exit 0 even if a source could not be read completely.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--coverage"],
            is_flag=True,
            help="Print the full coverage below a table, one entry per line.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--columns"],
            metavar="A,B,...",
            help="Columns to print, in this order.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--sort"],
            metavar="FIELD",
            help="Column to sort by; -FIELD for descending.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--wide"],
            is_flag=True,
            help="Print all columns, even if the table is wider than the terminal.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Show where an internal error occurred.",
            callback=_set_shared_option,
            expose_value=False,
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            help="Show the version and exit.",
            callback=_print_version,
            expose_value=False,
        ),
    ]


class AppCommand(click.Command):
    """Command with the shared options."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Add the shared options to the command's own."""
        return [*super().get_params(ctx), *_build_shared_options()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; refuse values of options that would have no effect."""
        words = list(args)
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing and len(words) > 1:
            order = self.make_parser(ctx).parse_args(args=list(words))[2]
            has_empty = "" in words or any(each.endswith("=") for each in words)
            if has_empty or len(order) > len(set(order)):
                from answerable.cli.option_values import refuse_values_without_effect

                refuse_values_without_effect(ctx, self.params, order)
        return rest

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Show the command's own options first, the shared ones below."""
        format_options(self, ctx, formatter)


def format_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the two option sections of a help page."""
    shared = {param.name for param in _build_shared_options()}
    own: list[tuple[str, str]] = []
    everywhere: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None and isinstance(param, click.Option):
            (everywhere if param.name in shared else own).append(record)
    if own:
        with formatter.section("Options"):
            formatter.write_dl(own)
    with formatter.section("Options of every command, before or after its name"):
        formatter.write_dl(everywhere, col_max=24)


class AppGroup(click.Group):
    """Command group with the shared options; `sections` orders its help.

    Attributes:
        sections: Title and command names, in order.
        aliases: Other names of commands, not listed in help and completion.
    """

    command_class = AppCommand
    aliases: Mapping[str, str] = MappingProxyType({})
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Add the shared options to the group's own."""
        return [*super().get_params(ctx), *_build_shared_options()]

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Show commands first, then options."""
        self.format_commands(ctx, formatter)
        format_options(self, ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name or alias."""
        return super().resolve_command(
            ctx, [self.aliases.get(args[0], args[0]), *args[1:]]
        )

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Show the commands, section by section."""
        sections = self.sections or (("Commands", tuple(sorted(self.commands))),)
        for title, names in sections:
            rows = [
                (name, self.commands[name].get_short_help_str(limit=70))
                for name in names
                if name in self.commands
            ]
            with formatter.section(title):
                formatter.write_dl(rows, col_max=16)


pass_settings = click.make_pass_decorator(Settings, ensure=True)
