"""What an operator keeps for servers: read beside the calls, anew when it changes."""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.gateway.upstream_credentials import (
    secret_sources,
    static_credential_cache,
)
from answerable.gateway.upstream_credentials.secret_sources import (
    CredentialUnavailable,
    ProcessGroups,
    read_secret,
)
from answerable.gateway.upstream_credentials.static_credential_cache import (
    StaticCredentialCache,
)
from answerable.model.config import UpstreamServer
from answerable.model.upstream_credential import UpstreamCredential
from tests.gateway.http.gateway_fixture import fingerprint
from tests.gateway.stdio.wrapper_fixture import is_gone

SECRET = "s3cret-of-the-operator"
NEWER = "newer-of-the-operator"


def kept_in(
    file: Path | str = "",
    command: tuple[str, ...] = (),
    env: str = "",
    *,
    ttl: int = 0,
    as_env: str = "",
) -> UpstreamCredential:
    header = "" if as_env else "authorization"
    return UpstreamCredential(
        str(file), command, env, ttl, header, "" if as_env else "Bearer", as_env
    )


def server(source: UpstreamCredential) -> UpstreamServer:
    nothing: tuple[str, ...] = ()
    return UpstreamServer(
        "files",
        "https://files.example/mcp",
        nothing,
        (),
        nothing,
        "",
        "",
        "",
        nothing,
        nothing,
        credential=source,
    )


def written(path: Path, secret: str, mode: int = 0o600) -> Path:
    path.write_text(secret)
    path.chmod(mode)
    return path


def printing(folder: Path, text: str) -> tuple[str, ...]:
    """A command that counts how often it ran, then runs some Python."""
    code = f"open({str(folder / 'ran')!r}, 'a').write('x'); {text}"
    return sys.executable, "-c", code


class Stage:
    """Held credentials with a clock of their own."""

    def __init__(self, *sources: UpstreamCredential) -> None:
        self.now = 1000.0
        self.told: list[tuple[str, str, str]] = []
        self.held = StaticCredentialCache(
            lambda: self.now, fingerprint, lambda *told: self.told.append(told)
        )
        self.held.reconfigure(tuple(server(each) for each in sources))

    def shown(self) -> str:
        """The field that the server is sent, empty for none."""
        found = self.held.find_credential("files")
        return found.field.decode() if found else ""

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():  # noqa: ASYNC110 - what it waits for is all over
                await asyncio.sleep(0.01)


def staged(
    source: UpstreamCredential, story: Callable[[Stage], Awaitable[None]]
) -> None:
    async def run() -> None:
        stage = Stage(source)
        fresh = asyncio.create_task(stage.held.renew_credentials_forever())
        await story(stage)
        fresh.cancel()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_credential_cache, "CHECK_INTERVAL", 0.02)


def bearer(secret: str) -> str:
    return f"authorization: Bearer {secret}\r\n"


def test_a_file_is_read_before_it_is_asked_for_and_anew_when_it_changes(
    tmp_path: Path,
) -> None:
    place = written(tmp_path / "secret", SECRET + "\n")

    async def story(stage: Stage) -> None:
        await stage.until(lambda: stage.shown() == bearer(SECRET))
        found = stage.held.find_credential("files")
        assert found is not None
        assert found.identity == f"cred:fp/{found.digest}"
        assert found.digest == fingerprint(SECRET)
        assert SECRET not in repr(found) + repr(found.leaks) + repr(stage.told)
        written(tmp_path / "next", NEWER).rename(place)
        await stage.until(lambda: stage.shown() == bearer(NEWER))
        found = stage.held.find_credential("files")
        assert found is not None
        assert found.leaks.occurs_in(NEWER.encode())
        assert found.leaks.occurs_in(SECRET.encode())  # it may be cached there
        assert stage.told == []

    staged(kept_in(place), story)


def test_a_file_that_is_no_good_any_more_is_shown_for_a_moment_and_then_not(
    tmp_path: Path,
) -> None:
    place = written(tmp_path / "secret", SECRET)

    async def story(stage: Stage) -> None:
        await stage.until(lambda: stage.shown() != "")
        place.chmod(0o644)
        await stage.until(lambda: stage.told != [])
        (refused,) = stage.told
        assert refused[:2] == ("credential.refused", "files")
        assert stage.held.failed_count == 1
        stage.now += static_credential_cache.WITHDRAW_AFTER - 0.1
        assert stage.shown() == bearer(SECRET)
        stage.now += 0.1
        assert stage.shown() == ""
        place.chmod(0o600)
        await stage.until(lambda: stage.shown() == bearer(SECRET))
        assert stage.told[1:] == [("credential.taken", "files", "")]
        assert stage.held.failed_count == 0

    staged(kept_in(place), story)


def test_a_command_is_run_again_when_a_fifth_of_the_life_is_left(
    tmp_path: Path,
) -> None:
    ran = tmp_path / "ran"
    count = f"print('number-of-runs-' + str(len(open({str(ran)!r}).read())))"

    async def story(stage: Stage) -> None:
        await stage.until(lambda: stage.shown() == bearer("number-of-runs-1"))
        stage.now += 79
        await asyncio.sleep(0.1)
        assert ran.read_text() == "x"
        stage.now += 2
        assert stage.shown() == bearer("number-of-runs-1")
        await stage.until(lambda: stage.shown() == bearer("number-of-runs-2"))

    staged(kept_in(command=printing(tmp_path, count), ttl=100), story)


def test_what_a_command_wrote_is_shown_to_its_end_and_no_longer(
    tmp_path: Path,
) -> None:
    once = "import sys; sys.exit(3) if len(open(sys.argv[1]).read()) > 1 else print("
    argv = (*printing(tmp_path, f"{once}{SECRET!r})"), str(tmp_path / "ran"))

    async def story(stage: Stage) -> None:
        await stage.until(lambda: stage.shown() != "")
        stage.now += 99
        await stage.until(lambda: stage.told != [])
        assert stage.told == [
            ("credential.refused", "files", "the command ended with 3")
        ]
        assert stage.shown() == bearer(SECRET)
        stage.now += 1
        assert stage.shown() == ""
        for _ in range(3):  # not for each call that comes meanwhile
            await stage.held.fetch_credential("files")
        assert len((tmp_path / "ran").read_text()) <= 3

    staged(kept_in(command=argv, ttl=100), story)


def test_it_is_read_once_for_all_who_wait(tmp_path: Path) -> None:
    async def run() -> None:
        argv = printing(tmp_path, f"import time; time.sleep(0.2); print({SECRET!r})")
        stage = Stage(kept_in(command=argv, ttl=100))
        await asyncio.gather(*(stage.held.fetch_credential("files") for _ in range(20)))
        assert stage.shown() == bearer(SECRET)

    asyncio.run(run())
    assert (tmp_path / "ran").read_text() == "x"


def test_after_a_reload_it_is_shown_so_far_and_got_anew(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.until(lambda: stage.shown() != "")
        source = kept_in(command=printing(tmp_path, f"print({SECRET!r})"), ttl=100)
        stage.held.reconfigure((server(source),))
        assert stage.shown() == bearer(SECRET)
        ran = tmp_path / "ran"
        await stage.until(lambda: len(ran.read_text()) == 2)
        stage.held.reconfigure((server(kept_in(env="NOWHERE_TO_BE_FOUND")),))
        assert stage.shown() == ""
        stage.held.reconfigure(())
        assert "files" not in stage.held

    source = kept_in(command=printing(tmp_path, f"print({SECRET!r})"), ttl=100)
    staged(source, story)


def test_a_command_server_finds_it_in_its_environment(tmp_path: Path) -> None:
    source = kept_in(written(tmp_path / "secret", SECRET), as_env="API_TOKEN")

    async def run() -> None:
        stage = Stage(source)
        await stage.held.fetch_credential("files")
        found = stage.held.find_credential("files")
        assert found is not None
        assert (found.field, found.environment) == (b"", {"API_TOKEN": SECRET})

    asyncio.run(run())


def got(source: UpstreamCredential) -> str:
    return read_secret(source, ProcessGroups())


def why(source: UpstreamCredential) -> str:
    with pytest.raises(CredentialUnavailable) as caught:
        read_secret(source, ProcessGroups())
    return caught.value.message


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    assert got(kept_in(env="A_SECRET")) == SECRET
    monkeypatch.delenv("A_SECRET")
    assert why(kept_in(env="A_SECRET")) == "the variable is not set"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644])
def test_a_file_that_others_may_read_or_write_is_refused(
    tmp_path: Path, mode: int
) -> None:
    place = written(tmp_path / "secret", SECRET, mode)
    assert "others can read or write" in why(kept_in(place))


@pytest.mark.parametrize(
    ("uid", "mode", "is_good"),
    [
        (0, 0o440, True),
        (0, 0o640, True),
        (0, 0o460, False),
        (0, 0o444, False),
        (4242, 0o600, False),
        (4242, 0o440, False),
    ],
)
def test_a_file_of_root_may_be_given_to_our_group(
    uid: int, mode: int, is_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    facts = os.stat_result((mode, 0, 0, 1, uid, 0, 1, 0, 0, 0))
    assert secret_sources._is_shared(facts) is not is_good


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in why(kept_in(tmp_path / "gone"))
    assert "cannot be read" in why(kept_in(tmp_path))
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert why(kept_in(tmp_path / "pipe")) == "it is not a regular file"


BAD = {
    "another field": f"{SECRET}\r\nx-evil: 1",
    "a line": f"{SECRET}\n{SECRET}",
    "two ends": f"{SECRET}\n\n",
    "a space": f"a {SECRET}",
    "a control character": f"{SECRET}\x00",
    "no ASCII": f"{SECRET}\u00e4",
    "nothing": "",
    "short": "1234567",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_could_not_stand_in_a_field_is_not_shown(
    tmp_path: Path, text: str
) -> None:
    place = written(tmp_path / "secret", "")
    place.write_bytes(text.encode())
    said = why(kept_in(place))
    assert "visible ASCII characters" in said
    assert SECRET not in said


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_end_of_a_line_is_not_part_of_it(tmp_path: Path, end: str) -> None:
    assert got(kept_in(written(tmp_path / "secret", SECRET + end))) == SECRET


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    assert "larger than" in why(kept_in(written(tmp_path / "s", "x" * 10_000)))
    endless = "[print('x' * 9999) for _ in iter(int, 1)]"
    assert "larger than" in why(kept_in(command=printing(tmp_path, endless)))


def test_a_command_has_a_clean_environment_and_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    names = "import os; print('+'.join(sorted(os.environ)) + os.getcwd() + '....')"
    said = got(kept_in(command=printing(tmp_path, names)))
    assert {*said.removesuffix("/....").split("+")} <= {"HOME", "PATH", "LC_CTYPE"}
    pid = tmp_path / "pid"
    child = (
        "import subprocess, sys; "
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True, file=open("
        f"{str(pid)!r}, 'w'))"
    )
    for seconds in (0.5, 5.0, 50.0):  # a busy machine needs longer to start it
        monkeypatch.setattr(secret_sources, "COMMAND_TIMEOUT", seconds)
        assert "seconds" in why(kept_in(command=printing(tmp_path, child)))
        if pid.exists() and pid.read_text():
            break
    assert is_gone(int(pid.read_text()))


def test_a_command_that_is_not_there_or_fails_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in why(kept_in(command=("no-such-program-anywhere",)))
    failing = printing(tmp_path, f"print({SECRET!r}); raise SystemExit(7)")
    assert why(kept_in(command=failing)) == "the command ended with 7"


def test_a_command_ends_with_the_gateway(tmp_path: Path) -> None:
    async def run() -> None:
        argv = printing(tmp_path, "import time; time.sleep(600)")
        stage = Stage(kept_in(command=argv, ttl=100))
        reading = asyncio.create_task(stage.held.fetch_credential("files"))
        await stage.until(lambda: (tmp_path / "ran").exists())
        stage.held.close()
        async with asyncio.timeout(60):
            await reading
        assert stage.told == [
            ("credential.refused", "files", "the command ended with -9")
        ]

    asyncio.run(run())


def test_a_disk_that_does_not_answer_holds_up_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()
    looked = static_credential_cache.file_stamp

    def stamp(source: UpstreamCredential) -> secret_sources.FileStamp:
        if source.file.endswith("hung"):
            hung.wait(60)
        return looked(source)

    async def run() -> None:
        stage, place = Stage(), written(tmp_path / "secret", SECRET)
        hanging = replace(server(kept_in(tmp_path / "hung")), name="hung")
        stage.held.reconfigure((hanging, server(kept_in(place))))
        fresh = asyncio.create_task(stage.held.renew_credentials_forever())
        await stage.until(lambda: stage.shown() == bearer(SECRET))
        written(tmp_path / "next", NEWER).rename(place)
        await stage.until(lambda: stage.shown() == bearer(NEWER))
        fresh.cancel()
        hung.set()

    monkeypatch.setattr(static_credential_cache, "file_stamp", stamp)
    asyncio.run(run())
