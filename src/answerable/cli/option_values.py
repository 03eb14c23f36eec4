"""Refuse values of options that would have no effect.

Of an option that is given twice, only the last value would count; an empty value
(`--source "$UNSET"`) would mean no filter at all.
"""

from collections.abc import Sequence

import click
from click.core import ParameterSource

from answerable.cli.settings import format_help_hint, get_option_name
from answerable.model.errors import UsageError


def refuse_values_without_effect(
    ctx: click.Context,
    params: Sequence[click.Parameter],
    given: Sequence[click.Parameter],
) -> None:
    """Refuse an empty value, and a second value of an option that takes one.

    Args:
        ctx: Context of the command, with the parsed values.
        params: Parameters of the command, without the shared options.
        given: Parameters in the order of the arguments.
    """
    for param in params:
        if not isinstance(param, click.Option):
            continue
        is_single = not (param.multiple or param.is_flag or param.count)
        if is_single and (times := given.count(param)) > 1:
            raise UsageError(
                f"{get_option_name(param)} is given {times} times (expected one value)",
                format_help_hint(ctx),
            )
        name = param.name or ""
        is_typed = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_typed and ctx.params.get(name) == "":
            raise UsageError(
                f"{get_option_name(param)} is empty (expected a value)",
                "omit the option if it has no value",
            )
