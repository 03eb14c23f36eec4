"""What cannot or must not be read: permissions, pipes, links, sizes."""

import builtins
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.connectors import bounded_folder
from answerable.connectors.home.fetch import sync
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import Sync
from answerable.model.tool import BUILT_IN


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "ana"
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text(
        '{"mcpServers": {"a": {"command": "a"}}}'
    )
    (home / ".aws").mkdir()
    return home


def problems(done: Sync) -> list[tuple[str, str]]:
    return [(item.kind.value, item.place) for item in done.problems]


def refuse(call: Callable[..., object], path: Path) -> Callable[..., object]:
    """Make a system call refuse one path, as it would for somebody not root."""

    def refusing(target: object, *args: object, **named: object) -> object:
        if not isinstance(target, int) and Path(str(target)) == path:
            raise PermissionError(13, "Permission denied", str(target))
        return call(target, *args, **named)

    return refusing


def servers_of(done: Sync) -> set[str]:
    """Names of the servers that a scan found."""
    return {t.server for t in done.facts.tools if t.transport not in BUILT_IN}


def test_a_file_that_may_not_be_read_is_named_and_the_rest_is_read(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = home / ".aws" / "credentials"
    secret.write_text("[default]\n")
    monkeypatch.setattr(os, "open", refuse(os.open, secret))
    done = sync(str(home), context)
    assert problems(done) == [("permission", str(secret))]
    assert [t.server for t in done.facts.tools if t.transport not in BUILT_IN] == ["a"]


def test_a_folder_that_may_not_be_listed_is_named(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = home / ".claude" / "plugins"
    plugins.mkdir(parents=True)
    monkeypatch.setattr(os, "scandir", refuse(os.scandir, plugins))
    assert problems(sync(str(home), context)) == [("permission", str(plugins))]


def test_a_folder_that_may_not_be_entered_is_named(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = home / ".codex" / "config.toml"
    hidden.parent.mkdir()
    monkeypatch.setattr(os, "stat", refuse(os.stat, hidden))
    assert problems(sync(str(home), context)) == [("permission", str(hidden))]


def test_a_home_that_may_not_be_read_is_refused(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_args, **_named: False)
    with pytest.raises(EnvironmentFailure, match="no permission"):
        sync(str(home), context)


def test_a_home_that_is_not_there_or_no_folder_is_a_usage_error(
    home: Path, context: SyncContext
) -> None:
    with pytest.raises(UsageError, match="no such folder") as caught:
        sync(str(home / "none"), context)
    assert "spelling" in caught.value.hint
    with pytest.raises(UsageError, match="not a folder"):
        sync(str(home / ".cursor" / "mcp.json"), context)


def test_pipes_sockets_and_devices_are_named_and_never_opened(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = home / ".netrc"
    os.mkfifo(pipe)
    link = home / ".npmrc"
    link.symlink_to("/dev/zero")
    door = home / ".vault-token"
    monkeypatch.chdir(home)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(".vault-token")
        opened: list[str] = []
        plain = os.open

        def watching(path: str, *args: int, **named: int) -> int:
            opened.append(str(path))
            return plain(path, *args, **named)

        monkeypatch.setattr(os, "open", watching)
        done = sync(str(home), context)
    assert sorted(problems(done)) == [
        ("unreadable", str(pipe)),
        ("unreadable", str(link)),
        ("unreadable", str(door)),
    ]
    assert not {str(pipe), str(link), str(door), "/dev/zero"} & set(opened)


def test_a_link_inside_the_home_is_followed_and_one_outside_is_named(
    home: Path, context: SyncContext, tmp_path: Path
) -> None:
    dotfiles = home / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "config.toml").write_text('[mcp_servers.in]\ncommand = "x"\n')
    (home / ".codex").symlink_to(dotfiles)
    outside = tmp_path / "outside.json"
    outside.write_text('{"mcpServers": {"out": {"command": "x"}}}')
    (home / ".claude.json").symlink_to(outside)
    done = sync(str(home), context)
    assert servers_of(done) == {"a", "in"}
    assert problems(done) == [("unreadable", str(home / ".claude.json"))]


def test_a_file_over_the_limit_is_named_and_not_held(
    home: Path, context: SyncContext
) -> None:
    large = home / ".claude.json"
    with large.open("wb") as file:
        file.truncate((8 << 20) + 1)
    assert problems(sync(str(home), context)) == [("too-large", str(large))]


def test_a_folder_with_too_many_entries_stops_and_says_so(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = home / ".claude" / "plugins"
    plugins.mkdir(parents=True)
    for number in range(50):
        (plugins / f"p{number}").mkdir()
    monkeypatch.setattr(bounded_folder, "WALK_LIMIT", 20)
    assert ("too-large", str(plugins)) in problems(sync(str(home), context))


def test_bytes_that_are_not_utf_8_are_named(home: Path, context: SyncContext) -> None:
    (home / ".claude.json").write_bytes(b'{"a": "\xff"}')
    assert problems(sync(str(home), context)) == [
        ("invalid", str(home / ".claude.json"))
    ]


def test_a_key_that_stands_twice_is_named_and_its_last_value_read(
    home: Path, context: SyncContext
) -> None:
    file = home / ".claude.json"
    file.write_text(
        '{"mcpServers": {"x": {"command": "one"}, "x": {"command": "two"}}}'
    )
    done = sync(str(home), context)
    assert problems(done) == [("invalid", f"{file}#/mcpServers/x")]
    assert "two" in {tool.target for tool in done.facts.tools}


def test_an_environment_file_outside_the_home_is_not_opened(
    home: Path, context: SyncContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside.env"
    outside.write_text("A_TOKEN=abc\n")
    names = [str(outside), "../../outside.env", "~/../outside.env", "${X}/a.env"]
    servers = ",".join(
        f'"s{n}": {{"command": "a", "envFile": "{name}"}}'
        for n, name in enumerate(names)
    )
    (home / ".cursor" / "mcp.json").write_text(f'{{"mcpServers": {{{servers}}}}}')
    done = sync(str(home), context)
    assert [c.cls.value for c in done.facts.credentials] == ["file-ref"] * len(names)


def test_nothing_is_executed_and_no_socket_is_opened(
    synced: Sync, ana: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_all(*_args: object, **_named: object) -> None:
        raise AssertionError("the scan left its files")

    for name in ("system", "execv", "posix_spawn", "fork"):
        monkeypatch.setattr(os, name, refuse_all)
    monkeypatch.setattr(socket, "socket", refuse_all)
    monkeypatch.setattr(builtins, "exec", refuse_all)
    assert sync(str(ana), context) == synced


def test_files_of_the_machine_bind_only_the_home_of_whoever_asks(
    home: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    managed = tmp_path / "managed-mcp.json"
    managed.write_text('{"mcpServers": {"managed": {"command": "m"}}}')
    from answerable.connectors import inherited_settings
    from answerable.connectors.formats.agent_clients import ClientConfigFile

    entry = ClientConfigFile("claude-code", str(managed))
    monkeypatch.setattr(inherited_settings, "MANAGED_FILES", (entry,))
    assert servers_of(sync(str(home), context)) == {"a"}
    monkeypatch.setenv("HOME", str(home))
    assert servers_of(sync(str(home), context)) == {"a", "managed"}
