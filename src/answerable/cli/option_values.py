"""Values of options: choices of words, and values that would have no effect."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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
            f"invalid value for {_get_option_name(param)} "
            f"(got {text!r}, expected {', '.join(self.words)})",
            f"did you mean {near[0]}?" if near else _format_help_hint(ctx),
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


def _format_help_hint(ctx: click.Context | None) -> str:
    """Return the command that prints the help of the current command."""
    return f"{ctx.command_path if ctx is not None else 'answerable'} --help"


def _get_option_name(param: click.Parameter | None) -> str:
    """Return an option's longest spelling (`--limit`), for messages."""
    if param is None:
        return "this option"
    names = [*param.opts, *param.secondary_opts]
    return max(names, key=len) if names else str(param.name)


def refuse_repeated_options(
    ctx: click.Context, given: Sequence[click.Parameter]
) -> None:
    """Refuse an option with one value that is given more than once."""
    for param in given:
        if (
            isinstance(param, click.Option)
            and not (param.multiple or param.is_flag or param.count)
            and given.count(param) > 1
        ):
            raise UsageError(
                f"{_get_option_name(param)} is given {given.count(param)} times "
                "(expected one value)",
                _format_help_hint(ctx),
            )


def refuse_empty_values(ctx: click.Context, params: Sequence[click.Parameter]) -> None:
    """Refuse an option whose value is an empty text."""
    for param in params:
        name = param.name or ""
        if (
            isinstance(param, click.Option)
            and ctx.params.get(name) == ""
            and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            raise UsageError(
                f"{_get_option_name(param)} is empty (expected a value)",
                "omit the option if it has no value",
            )
