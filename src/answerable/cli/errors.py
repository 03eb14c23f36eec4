"""Convert exceptions to exit codes and two-line error messages.

0 success; 1 a failed expectation or verification; 2 usage; 3 partial; 4 a bug; 5 the
environment refused; 130 interrupted. Precedence: 130, 4, 5, 2, 1, 3.
"""

import errno
import traceback
from collections.abc import Iterable
from dataclasses import dataclass

import click
from click.exceptions import NoSuchCommand, NoSuchOption

from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    ParseError,
    PartialError,
    UsageError,
    VerificationError,
)

FINE, FAILED, USAGE, PARTIAL, BUG, REFUSED = range(6)
INTERRUPTED = 130
_PRECEDENCE = (INTERRUPTED, BUG, REFUSED, USAGE, FAILED, PARTIAL)

_EXIT_CODES: tuple[tuple[type[AnswerableError], int], ...] = (
    (UsageError, USAGE),
    (PartialError, PARTIAL),
    (ParseError, PARTIAL),
    (VerificationError, FAILED),
    (EnvironmentFailure, REFUSED),
)

_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PERMISSION_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True)
class CommandError:
    """Exit code, message and hint of a failed command.

    Attributes:
        hint: The next step, may be empty.
    """

    code: int
    message: str
    hint: str = ""


def most_severe_exit_code(codes: Iterable[int]) -> int:
    """Return the most severe of several exit codes; 0 if there is none."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), FINE)


def describe_error(error: BaseException) -> CommandError:
    """Convert an exception to an exit code, message and hint."""
    match error:
        case KeyboardInterrupt() | click.Abort():
            return CommandError(INTERRUPTED, "interrupted", "run the command again")
        # DuckDB raises this instead of KeyboardInterrupt during a query.
        case RuntimeError(args=("Query interrupted",)):
            return describe_error(KeyboardInterrupt())
        case AnswerableError():
            code = next(
                (code for kind, code in _EXIT_CODES if isinstance(error, kind)), BUG
            )
            return CommandError(code, error.message, error.hint)
        case click.ClickException():
            return _describe_usage_error(error)
        case MemoryError():
            return CommandError(
                REFUSED, "out of memory", "close other programs, or narrow the query"
            )
        case OSError():
            return _describe_os_error(error)
        case _:
            return CommandError(
                BUG,
                f"internal error ({_get_type_name(error)} in {_find_error_line(error)})",
                "this is a bug in answerable: run the command again with --debug and "
                "report the output",
            )


def _get_type_name(error: BaseException) -> str:
    """Return the name of an exception's type."""
    return type(error).__name__


def _find_error_line(error: BaseException) -> str:
    """Return file and line of the innermost frame in this package."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "answerable" in frame.filename]
    if not ours:
        return "answerable"
    name = ours[-1].filename.replace("\\", "/").rpartition("answerable/")[2]
    return f"{name}:{ours[-1].lineno}"


def _describe_os_error(error: OSError) -> CommandError:
    """Convert an operating system error to a message, with a hint by its errno."""
    place = f": {error.filename}" if isinstance(error.filename, str) else ""
    what = (error.strerror or _get_type_name(error)).lower() + place
    if error.errno in _DISK_FULL_ERRNOS:
        return CommandError(
            REFUSED, what, "free some space, or name another store: --store DIR"
        )
    if error.errno in _PERMISSION_ERRNOS:
        return CommandError(
            REFUSED,
            what,
            "get permission for the path, or name another store: --store DIR",
        )
    return CommandError(REFUSED, what, "run `answerable doctor` to check this machine")


def _describe_usage_error(error: click.ClickException) -> CommandError:
    """Convert an error of click to a message, with the nearest known name."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "answerable"
    hint = f"{path} --help"
    match error:
        case NoSuchCommand():
            message = f"no such command (got {error.command_name!r})"
            hint = _suggest_command(error, context) or hint
        case NoSuchOption():
            message = f"no such option (got {error.option_name!r})"
            usage = _suggest_arguments(error, context)
            near = _suggest_option(error, context)
            if usage:
                hint = f"write it without an option name: {path} {usage}"
            elif near:
                hint = f"did you mean {near}?"
        case _:
            message = error.format_message().rstrip(".")
            message = message[:1].lower() + message[1:]
    return CommandError(USAGE, message, hint)


def _suggest_command(error: NoSuchCommand, context: click.Context | None) -> str:
    """Suggest the nearest command, or the group that holds it."""
    if context is None or not isinstance(context.command, click.Group):
        return ""
    from difflib import get_close_matches

    commands = context.command.commands
    near = get_close_matches(error.command_name.lower(), commands, 1, 0.5)
    if near:
        return f"did you mean {context.command_path} {near[0]}?"
    for name, group in commands.items():
        if isinstance(group, click.Group) and error.command_name in group.commands:
            return f"did you mean {context.command_path} {name} {error.command_name}?"
    return ""


def _suggest_arguments(error: NoSuchOption, context: click.Context | None) -> str:
    """List the arguments, if one was given as an option (`--title`); else empty."""
    if context is None:
        return ""
    params = context.command.get_params(context)
    arguments = [each for each in params if isinstance(each, click.Argument)]
    name = error.option_name.lstrip("-").replace("-", "_").lower()
    if name not in [each.name for each in arguments]:
        return ""
    return " ".join(each.make_metavar(context) for each in arguments)


def _suggest_option(error: NoSuchOption, context: click.Context | None) -> str:
    """Return the option most similar to the unknown one; empty if none is."""
    from difflib import get_close_matches

    names: list[str] = list(error.possibilities or ())
    if context is not None:
        for param in context.command.get_params(context):
            names += [*param.opts, *param.secondary_opts]
    near = get_close_matches(
        error.option_name, [name for name in names if name.startswith("--")], 1
    )
    return near[0] if near else ""


def format_traceback(error: BaseException) -> list[str]:
    """Format the frames of an exception, for `--debug`.

    Frames and type names only. Messages of other libraries may quote their input, which
    may be a secret.
    """
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(f"{_get_type_name(current)} raised at, innermost last:")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        ]
        current = current.__cause__ or current.__context__
    return lines
