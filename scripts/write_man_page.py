"""Manual page of the command line, generated from the commands and their options.

`python scripts/write_man_page.py` rewrites `deploy/man/answerable.1`, which the wheel
installs; a test compares it. Source of the macros: man(7).
"""

from collections.abc import Iterator
from pathlib import Path

import click

from answerable.cli.app import OVERVIEW, app

PAGE = Path(__file__).resolve().parents[1] / "deploy" / "man" / "answerable.1"
SECTIONS = """\
.SH FILES
The store is the folder in
.BR \\-\\-store ,
else in
.BR ANSWERABLE_STORE ,
else
.IR $XDG_DATA_HOME/answerable ,
else
.IR ~/.local/share/answerable .
.SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
An expectation that is not met, a failed verification, or a difference.
.TP
.B 2
Usage error, or input that is not valid.
.TP
.B 3
Partial: a source could not be read completely, or the answer is not known.
.TP
.B 4
Internal error.
.TP
.B 5
Environment error: disk, memory, permission, a newer store, network.
.TP
.B 130
Interrupted.
"""


def write_man_page() -> str:
    """Return the page as roff."""
    context = click.Context(app, info_name="answerable", **app.context_settings)
    return "\n".join(
        [
            '.TH ANSWERABLE 1 "" "answerable" "User Commands"',
            ".SH NAME",
            f"answerable \\- {_escape(_short_help(app))}",
            ".SH SYNOPSIS",
            ".B answerable",
            ".RI [ OPTIONS ]",
            ".I COMMAND",
            ".RI [ ARGS ]...",
            ".SH DESCRIPTION",
            *_paragraphs(app.help or OVERVIEW),
            ".SH OPTIONS",
            "Options of every command, before or after its name:",
            *_options(app, context),
            ".SH COMMANDS",
            *_commands(app, context),
            SECTIONS,
        ]
    )


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    """Yield each command and its subcommands."""
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(below))
        yield f'.SS "{_escape(f"{below.command_path} {usage}")}"'
        yield from _paragraphs(command.help or "")
        yield from _options(command, below)
        if isinstance(command, click.Group):
            yield from _commands(command, below)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the options of a command, without `--help` and those of every command."""
    root = context.find_root()
    shared = (
        {each.opts[0] for each in app.get_params(root)} if context.parent else set()
    )
    for each in command.get_params(context):
        record = each.get_help_record(context)
        if each.opts[0] in shared or "--help" in each.opts:
            continue
        if isinstance(each, click.Option) and record:
            yield ".TP"
            yield f".B {_escape(record[0])}"
            yield _escape_line(" ".join(record[1].split()))


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text."""
    for block in text.replace("\f", "").split("\n\n"):
        verbatim = block.lstrip().startswith("\b")
        lines = [line for line in block.replace("\b", "").split("\n") if line.strip()]
        if not lines:
            continue
        yield ".PP"
        if verbatim:
            yield from (".nf", *map(_escape_line, lines), ".fi")
        else:
            yield _escape_line(" ".join(line.strip() for line in lines))


def _short_help(command: click.Command) -> str:
    """Return the first sentence of a command's help, without its full stop."""
    return (command.help or "").split("\n\n")[0].strip().rstrip(".")


def _escape_line(text: str) -> str:
    """Escape a line of text; one that begins like a request is no request."""
    return ("\\&" if text[:1] in {".", "'"} else "") + _escape(text)


def _escape(text: str) -> str:
    """Escape backslashes, hyphens and quotes of roff."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(write_man_page(), encoding="utf-8")
