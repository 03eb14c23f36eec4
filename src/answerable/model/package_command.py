"""Find the package or image of a command that starts its newest version."""

import re

from answerable.model.tool import CONTAINER

# https://docs.npmjs.com/cli/commands/npx: without a version the newest one is started.
# https://docs.astral.sh/uv/guides/tools/: `uvx PACKAGE` likewise, `uvx PACKAGE@1.2` not.
# https://learn.microsoft.com/dotnet/core/tools/dotnet-tool-exec: `dnx` likewise.
_NPM_RUNNERS = ("npx", "pnpx", "bunx")
_RUNNERS = (*_NPM_RUNNERS, "uvx", "pipx", "dnx")
_NPM_COMMANDS = (
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("npm", "exec"),
    ("npm", "x"),
    ("bun", "x"),
)
_COMMANDS = (*_NPM_COMMANDS, ("uv", "tool"))
_SKIPPED = ("run", "-y", "--yes", "-q", "--quiet", "dlx", "tool", "exec", "x")
# Programs that start another one, as clients on Windows need for scripts.
_WRAPPERS = ("cmd", "env")
_WRAPPER_WORD = re.compile(r"/[a-z]|-i|[A-Za-z_][A-Za-z0-9_]*=.*", re.ASCII | re.I)
_PACKAGE_OPTIONS = ("-p", "--package", "--from", "--spec")
# `@1` and `@1.x` are ranges of versions for npm, and one version for other runners.
_PINNED_NPM = re.compile(
    r".+(?:@v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][\w.+-]+)?|@[0-9a-f]{40})"
)
_PINNED = re.compile(r".+(?:@v?[0-9][\w.+-]*|==[^=]+|@[0-9a-f]{40})")
# Options of `docker run` without a value; every other option takes one.
# https://docs.docker.com/reference/cli/docker/container/run/
_SWITCHES = frozenset(
    str.split(
        "--detach --help --init --interactive --no-healthcheck --oom-kill-disable "
        "--privileged --publish-all --quiet --read-only --rm --sig-proxy --tty"
    )
)
_SHORT_SWITCHES = frozenset("ditPq")


def find_unpinned_package(target: str, transport: str) -> str:
    """Return the package or image of a command without a fixed version."""
    words = _remove_wrapper(target.split())
    if not words:
        return ""
    if transport == CONTAINER:
        return _find_loose_image(words)
    runner = _get_program_name(words[0])
    command = runner, words[1] if len(words) > 1 else ""
    if runner not in _RUNNERS and command not in _COMMANDS:
        return ""
    package = _find_package(words[1:])
    npm = runner in _NPM_RUNNERS or command in _NPM_COMMANDS
    pinned = _PINNED_NPM if npm else _PINNED
    return "" if not package or pinned.fullmatch(package) else package


def _get_program_name(word: str) -> str:
    """Return the name of a program without its folder and the ending of Windows."""
    name = word.replace("\\", "/").rpartition("/")[2].lower()
    return name.removesuffix(".cmd").removesuffix(".exe")


def _remove_wrapper(words: list[str]) -> list[str]:
    """Return the command that `cmd /c` or `env NAME=VALUE` starts."""
    if not words or _get_program_name(words[0]) not in _WRAPPERS:
        return words
    rest = words[1:]
    while rest and _WRAPPER_WORD.fullmatch(rest[0]):
        rest = rest[1:]
    return rest


def _find_package(words: list[str]) -> str:
    """Return the package of a runner's arguments; empty for a path or a URL."""
    following = False
    for word in words:
        if following or not (word.startswith("-") or word in _SKIPPED):
            local = word.startswith((".", "/", "~")) or "***" in word or "$" in word
            return "" if local else word
        name, equals, value = word.partition("=")
        if name in _PACKAGE_OPTIONS and equals:
            return value
        following = name in _PACKAGE_OPTIONS
    return ""


def _find_loose_image(words: list[str]) -> str:
    """Return the image of `docker run` without a digest or a fixed tag."""
    rest = iter(words[words.index("run") + 1 :] if "run" in words else ())
    for word in rest:
        if not word.startswith("-"):
            tag = word.rpartition("/")[2].partition(":")[2]
            loose = "@sha256:" not in word and tag in ("", "latest")
            return word if loose and "***" not in word else ""
        short = not word.startswith("--")
        switch = set(word[1:]) <= _SHORT_SWITCHES if short else word in _SWITCHES
        attached = len(word) > 2 if short else "=" in word
        if not switch and not attached:
            next(rest, None)
    return ""
