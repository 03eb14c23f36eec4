"""Parse `docker run` command lines: mounts and variables of a container.

A container has its own file system and environment: it sees mounted host files and
passed variables only. Source:
https://docs.docker.com/reference/cli/docker/container/run/
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

ENGINES = frozenset(("docker", "podman", "nerdctl", "finch"))
_SHELLS = frozenset(("sh", "bash", "zsh", "cmd"))
# Options without a value; every other option takes one.
_SWITCHES = frozenset(
    str.split(
        "--detach --disable-content-trust --help --init --interactive "
        "--no-healthcheck --oom-kill-disable --privileged --publish-all --quiet "
        "--read-only --rm --sig-proxy --tty --replace --tls-verify --env-host"
    )
)
# Spellings of false of the engine's command line (Go, strconv.ParseBool).
_FALSE = ("false", "f", "0")
_SHORT_SWITCHES = frozenset("ditPq")
_VOLUME = re.compile(r"(?P<source>(?:[A-Za-z]:[\\/])?[^:]+):(?P<target>[^:]+)(?::.*)?")
_HOME = re.compile(
    r"(?:~|\$HOME|\$\{HOME\}|\$\{env:HOME\}|\$\{localEnv:HOME\}|\$\{userHome\}"
    r"|%USERPROFILE%|\$\{env:USERPROFILE\}|\$\{localEnv:USERPROFILE\})(?P<rest>/.*)?"
)
# Where operating systems keep homes: a copy of one lies elsewhere.
_HOMES = re.compile(r"(?:[A-Za-z]:)?/(?:home|Users)/(?P<login>[^/]+)(?P<rest>/.*)?")
# Who commands the engine can mount any folder of the host.
# Source: https://docs.docker.com/engine/security/#docker-daemon-attack-surface
_ENGINE_SOCKET = re.compile(
    r".*/(?:docker|podman|containerd|crio|buildkitd)\.sock|.*/pipe/docker_engine"
)
# Holds an engine's socket.
_SOCKET_FOLDERS = ("/run", "/var", "/var/run", "/run/podman", "/run/containerd")
_PARENTS_OF_HOMES = ("/", "/home", "/Users", "C:/", "C:/Users")


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """Mounted file or folder of the host.

    Attributes:
        source: Its path on the host, as written.
        target: Its path in the container.
    """

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """Options of a `docker run`.

    Attributes:
        mounts: Files and folders of the host.
        passed: Names of passed variables.
        privileged: Whether it gets every device of the host, including disks.
    """

    mounts: tuple[ContainerMount, ...]
    passed: frozenset[str]
    privileged: bool = False

    def resolve_host_path(self, path: str) -> str:
        """Return the host path of a path in the container, or empty."""
        inside = PurePosixPath(path)
        for mount in self.mounts:
            if inside.is_relative_to(mount.target):
                rest = inside.relative_to(mount.target)
                return str(PurePosixPath(mount.source.replace("\\", "/")) / rest)
        return ""

    def list_home_mounts(self, home: str) -> tuple[str, ...]:
        """List the mounted paths that are in a home, or contain it.

        The whole home for a container that is privileged or controls the engine.

        Args:
            home: Absolute path of the home.
        """
        if self.privileged or any(
            _exposes_engine_socket(m.source) for m in self.mounts
        ):
            return (home,)
        found = (_path_in_home(mount.source, home) for mount in self.mounts)
        return tuple(dict.fromkeys(path for path in found if path))


def parse_container_run(words: Sequence[str]) -> ContainerRun | None:
    """Parse a `docker run` command line; None if it starts no container."""
    rest = _words_after_run(_strip_wrappers(list(words)))
    if rest is None:
        return None
    mounts: list[ContainerMount] = []
    passed: set[str] = set()
    privileged = False
    at = 0
    while at < len(rest) and rest[at].startswith("-"):
        name, value, used = _parse_option(rest, at)
        at += used
        if name in ("-v", "--volume"):
            mounts += _parse_volume(value)
        elif name == "--mount":
            mounts += _parse_mount(value)
        elif name in ("-e", "--env"):
            passed.add(value.partition("=")[0])
        elif name == "--privileged":
            privileged = value.lower() not in _FALSE
    return ContainerRun(tuple(mounts), frozenset(passed), privileged)


def _strip_wrappers(words: list[str]) -> list[str]:
    """Strip `sudo` and `sh -c` from a command line."""
    if len(words) == 1:
        words = _split_words(words[0])
    while words and _program_name(words[0]) in ("sudo", "env"):
        words = words[1:]
    if (
        len(words) > 2
        and _program_name(words[0]) in _SHELLS
        and words[1] in ("-c", "/c")
    ):
        words = _split_words(words[2]) if len(words) == 3 else words[2:]
    return words[1:] if words[:1] == ["exec"] else words


def _split_words(text: str) -> list[str]:
    """Split a shell command line into words."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _program_name(word: str) -> str:
    """Return the name of a program without its folder."""
    return re.split(r"[\\/]", word)[-1].lower().removesuffix(".exe")


def _words_after_run(words: list[str]) -> list[str] | None:
    """Return a command's words after `docker run` or `docker container run`."""
    if not words or _program_name(words[0]) not in ENGINES:
        return None
    at = 1
    while at < len(words) and words[at].startswith("-"):
        alone = "=" in words[at] or words[at] in ("-D", "--debug", "--tls")
        at += 1 if alone else 2
    if words[at : at + 1] == ["container"]:
        at += 1
    return words[at + 1 :] if words[at : at + 1] == ["run"] else None


def _parse_option(words: Sequence[str], index: int) -> tuple[str, str, int]:
    """Return an option's name, value and number of words."""
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        if equals or name in _SWITCHES:
            return name, value, 1
        return name, following, 2
    letters = word[1:]
    while letters and letters[0] in _SHORT_SWITCHES:  # `-it`, `-ieNAME`
        letters = letters[1:]
    if not letters:
        return word, "", 1
    if len(letters) > 1:
        return f"-{letters[0]}", letters[1:].removeprefix("="), 1
    return f"-{letters}", following, 2


def _parse_volume(text: str) -> list[ContainerMount]:
    """Parse the value of `--volume` to a mount, empty for a named volume."""
    found = _VOLUME.fullmatch(text)
    if found is None or not set("\\/~$%.") & set(found["source"]):
        return []  # an anonymous or a named volume
    return [ContainerMount(found["source"], found["target"])]


def _parse_mount(text: str) -> list[ContainerMount]:
    """Parse the value of `--mount` to a bind mount, empty for other types."""
    options = dict(part.partition("=")[::2] for part in text.split(","))
    source = options.get("source") or options.get("src") or ""
    target = options.get("target") or options.get("destination") or options.get("dst")
    if options.get("type", "bind") != "bind" or not source or not target:
        return []
    return [ContainerMount(source, target)]


def _exposes_engine_socket(source: str) -> bool:
    """Return whether a mount contains the socket of a container engine."""
    source = source.replace("\\", "/").rstrip("/")
    return source in _SOCKET_FOLDERS or _ENGINE_SOCKET.fullmatch(source) is not None


def _path_in_home(source: str, home: str) -> str:
    """Return the absolute path of a mounted path in a home, or empty."""
    source = source.replace("\\", "/").rstrip("/") or "/"
    marked = _HOME.fullmatch(source)
    if marked:
        return f"{home}{marked['rest'] or ''}"
    if source in _PARENTS_OF_HOMES or home == source or home.startswith(f"{source}/"):
        return home
    if source.startswith(f"{home}/"):
        return source
    elsewhere = _HOMES.fullmatch(source)
    if elsewhere and elsewhere["login"] == home.rpartition("/")[2]:
        return f"{home}{elsewhere['rest'] or ''}"
    return ""
