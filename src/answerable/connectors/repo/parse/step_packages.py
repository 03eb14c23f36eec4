"""Find the packages that the script of a workflow step starts without a fixed version."""

import re
from collections.abc import Iterable, Iterator

from answerable.connectors.formats.redaction import make_printable_line, redact_word
from answerable.model.package_command import find_unpinned_package
from answerable.model.tool import CONTAINER

_TEXT_LIMIT = 100_000
_WORDS_LIMIT = 100  # words of one command
_PACKAGES_LIMIT = 50
_CONTINUED = re.compile(r"\\\r?\n")
_COMMAND_END = re.compile(r"[\n;&|()`]+")
# Words before a program: `sudo`, `exec`, `NAME=VALUE`.
_LEADING = re.compile(
    r"sudo|exec|time|command|then|do|else|!|[A-Za-z_][A-Za-z0-9_]*=\S*"
)
# Installations of a command, which take a package as the runner does.
_INSTALLERS = (
    (("uv", "tool", "install"), "uvx"),
    (("pipx", "install"), "pipx"),
    (("npm", "install", "-g"), "npx"),
    (("npm", "install", "--global"), "npx"),
    (("npm", "i", "-g"), "npx"),
)
_INSTALL = re.compile(
    r"npm (?:ci|install|i)|pnpm (?:install|i)|yarn(?: install)?|bun install"
)
_GLOBAL = frozenset({"-g", "--global"})
_LOCAL = ("npx", "pnpx", "bunx")
_ENGINES = ("docker", "podman", "nerdctl")
# A name of a package or an image, with its version.
_NAME = re.compile(r"[@\w][\w./@:+~^=\[\]-]{0,199}")


def list_unpinned_packages(scripts: Iterable[str]) -> tuple[str, ...]:
    """List the packages and images of a job's scripts, each once.

    `npx NAME` starts the package of the lock file if the job installed it.
    """
    commands = [
        words for text in scripts for words in _iterate_commands(text[:_TEXT_LIMIT])
    ]
    locked = any(
        _INSTALL.fullmatch(" ".join(each[:2])) and _GLOBAL.isdisjoint(each)
        for each in commands
    )
    found = dict.fromkeys(
        make_printable_line(redact_word(package), 200)
        for words in commands
        if not (locked and words[0] in _LOCAL and not {*words} & {"-y", "--yes"})
        if _NAME.fullmatch(package := _find_package(words))
    )
    return tuple(found)[:_PACKAGES_LIMIT]


def _iterate_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command of a script, without comments."""
    for command in _COMMAND_END.split(_CONTINUED.sub(" ", script)):
        words = [each.strip("\"'") for each in command.split()[:_WORDS_LIMIT]]
        while words and _LEADING.fullmatch(words[0]):
            words = words[1:]
        if words and not words[0].startswith("#"):
            yield words


def _find_package(words: list[str]) -> str:
    """Return the package of a command that has no fixed version; empty for none."""
    for prefix, runner in _INSTALLERS:
        if tuple(words[: len(prefix)]) == prefix:
            words = [runner, *words[len(prefix) :]]
    container = words[0].rpartition("/")[2] in _ENGINES and "run" in words
    return find_unpinned_package(" ".join(words), CONTAINER if container else "stdio")
