"""What servers are shown: asked for once, renewed beside the calls, gone at its end."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.upstream_credentials.exchanged_token_cache import (
    EXPIRY_MARGIN,
    RETRY_DELAY,
    UpstreamTokenCache,
)
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.model.caller import VerifiedCaller
from tests.federation.sample_tokens import EC, sign
from tests.gateway.recording.recorder_fixture import CALLER

LIFE = 300
TOKEN = "the caller's own"


def config_of(folder: Path) -> str:
    return f"""
sts: {{url: "https://sts.example", listen: [{{unix: {folder / "sts.sock"}}}]}}
servers:
  files: {{url: "https://files.example/mcp", audience: "https://files.example"}}
  open: {{url: "https://open.example/mcp"}}
"""


class Service:
    """A token service that answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.targets: list[str] = []
        self.status, self.kind, self.token = 200, "Bearer", ""
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.targets.append(head.split(b" ")[1].decode())
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
        self.asked.append(parse_qs((await reader.readexactly(length)).decode()))
        await self.answers.wait()
        token = self.token or sign(
            {"alg": "ES256", "kid": "k"}, {"jti": f"j{len(self.asked)}"}, EC
        )
        said = {"access_token": token, "token_type": self.kind, "expires_in": LIFE}
        body = json.dumps(said).encode() if self.status == 200 else b"{}"
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: " % self.status)
        writer.write(b"%d\r\n\r\n%b" % (len(body), body))
        writer.close()


class Stage:
    """Credentials with a clock of their own, and the service beside them."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.service = Service()
        config = parse_config(config_of(folder).encode(), "x", str(folder)).config
        assert config is not None
        self.config = config
        self.tasks: set[asyncio.Task[None]] = set()
        self.credentials = UpstreamTokenCache(config, lambda: self.now, self.spawn)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.add(asyncio.get_running_loop().create_task(work))

    def find(self, caller: VerifiedCaller = CALLER) -> str:
        """What a server is shown now: the `jti`, empty for nothing."""
        found = self.credentials.find_token(caller, "files", TOKEN)
        return found.jti if found else ""

    async def get(self, caller: VerifiedCaller = CALLER) -> str:
        await self.credentials.fetch_token(caller, "files", TOKEN)
        return self.find(caller)


def staged(folder: Path, story: Callable[[Stage], Awaitable[None]]) -> Stage:
    async def run() -> Stage:
        stage = Stage(folder)
        place = str(folder / "sts.sock")
        server = await asyncio.start_unix_server(stage.service, place)
        async with server:
            await story(stage)
        return stage

    return asyncio.run(run())


def test_it_is_asked_for_once_for_all_who_wait(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert stage.credentials.needs_token("files")
        assert not stage.credentials.needs_token("open")
        assert stage.find() == ""
        assert await asyncio.gather(*(stage.get() for _ in range(20))) == ["j1"] * 20

    service = staged(tmp_path, story).service
    assert service.targets == ["/gateway/token"]
    assert service.asked[0]["subject_token"] == [TOKEN]
    assert service.asked[0]["audience"] == ["https://files.example"]


def test_who_comes_a_moment_after_it_came_does_not_ask_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        credentials = CredentialProvider(
            stage.config, lambda: stage.now, stage.spawn, str, lambda *_: None
        )
        wanted = (CALLER, "files", TOKEN)
        # Both find nothing; the second is heard of only when the first is through.
        assert (
            credentials.find_credential(*wanted)
            is credentials.find_credential(*wanted)
            is None
        )
        await credentials.fetch_credential(*wanted)
        await credentials.fetch_credential(*wanted)
        found = credentials.find_credential(*wanted)
        assert found is not None
        assert found.jti == "j1"

    assert len(staged(tmp_path, story).service.asked) == 1


def test_another_delegation_has_another_one(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        other = replace(CALLER, run="run-2")
        assert await stage.get() == "j1"
        assert await stage.get(other) == "j2"
        assert stage.find() == "j1"
        found = stage.credentials.find_token(CALLER, "files", TOKEN)
        assert found is not None
        assert found.identity == f"https://sts.example/{CALLER.agent}"
        assert found.field.startswith(b"authorization: Bearer ")
        text = found.field.split()[2]
        assert found.digest == hashlib.sha256(text).hexdigest()
        assert text.decode() not in repr(found)

    staged(tmp_path, story)


def test_it_is_renewed_beside_the_calls(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.get()
        stage.now += LIFE * 0.79
        assert stage.find() == "j1"
        assert not stage.tasks
        stage.now += LIFE * 0.02
        assert stage.find() == stage.find() == "j1"
        await asyncio.gather(*stage.tasks)
        assert stage.find() == "j2"

    staged(tmp_path, story)


def test_while_the_service_is_away_it_serves_to_its_end_and_no_longer(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        await stage.get()
        stage.service.status = 503
        stage.now += LIFE - EXPIRY_MARGIN - 1
        assert stage.find() == "j1"
        await asyncio.gather(*stage.tasks)
        stage.now += 1
        assert stage.find() == ""
        assert await stage.get() == ""
        before = len(stage.service.asked)
        assert await stage.get() == ""
        assert len(stage.service.asked) == before
        stage.now += RETRY_DELAY
        stage.service.status = 200
        assert await stage.get() != ""

    staged(tmp_path, story)


@pytest.mark.parametrize("token", ["a b", "a\nb", "\u00e4", "a\r\nx-evil: 1"])
def test_what_could_not_stand_in_a_field_is_not_shown(
    tmp_path: Path, token: str
) -> None:
    async def story(stage: Stage) -> None:
        stage.service.token = token
        assert await stage.get() == ""

    staged(tmp_path, story)


def test_a_token_that_asks_for_proofs_is_not_shown(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.service.kind = "DPoP"
        assert await stage.get() == ""

    staged(tmp_path, story)


def test_what_was_shown_before_a_reload_is_looked_for_after_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.get()
        before = stage.credentials.find_token(CALLER, "files", TOKEN)
        assert before is not None
        stage.credentials.reconfigure(stage.config)
        assert stage.credentials.get_cached_token(CALLER, "files") is None
        assert await stage.get() == "j2"
        after = stage.credentials.get_cached_token(CALLER, "files")
        assert after is not None
        assert after.leaks.occurs_in(before.field.split()[2])

    staged(tmp_path, story)


def test_a_reload_forgets_what_was_kept(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.get() == "j1"
        stage.credentials.reconfigure(stage.config)
        assert stage.find() == ""
        stage.credentials.reconfigure(replace(stage.config, sts=None))
        assert await stage.get() == ""

    staged(tmp_path, story)


def test_what_was_asked_for_before_a_reload_is_not_kept_after_it(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        stage.service.answers.clear()
        before = asyncio.create_task(stage.get())
        async with asyncio.timeout(60):
            while not stage.service.asked:  # noqa: ASYNC110 - of another task
                await asyncio.sleep(0.01)
        stage.credentials.reconfigure(stage.config)
        after = asyncio.create_task(stage.get())
        stage.service.answers.set()
        # Neither who waited nor who comes now is given the old one, or nothing.
        assert await asyncio.gather(before, after) == ["j2", "j2"]

    staged(tmp_path, story)


def test_a_refused_one_is_asked_for_anew_once_and_a_newer_one_is_kept(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        await stage.get()
        first = stage.credentials.find_token(CALLER, "files", TOKEN)
        assert first is not None
        assert stage.credentials.renew_rejected_token(CALLER, "files", first)
        assert not stage.credentials.renew_rejected_token(CALLER, "files", first)
        assert stage.find() == ""
        assert await asyncio.gather(*(stage.get() for _ in range(20))) == ["j2"] * 20
        # An answer that was late says nothing of the newer one.
        stage.now += 100
        assert not stage.credentials.renew_rejected_token(CALLER, "files", first)
        assert stage.find() == "j2"
        other = replace(CALLER, run="run-2")
        assert await stage.get(other) == "j3"
        kept = stage.credentials.find_token(other, "files", TOKEN)
        assert kept is not None
        assert stage.credentials.renew_rejected_token(other, "files", kept)
        assert stage.find() == "j2"

    staged(tmp_path, story)


def test_a_refused_one_serves_as_before_while_there_is_no_other(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.get()
        found = stage.credentials.find_token(CALLER, "files", TOKEN)
        assert found is not None
        stage.service.status = 503
        assert stage.credentials.renew_rejected_token(CALLER, "files", found)
        assert await stage.get() == "j1"
        assert len(stage.service.asked) == 2
        stage.service.status = 200
        stage.now += RETRY_DELAY
        assert stage.find() == "j1"
        await asyncio.gather(*stage.tasks)
        assert stage.find() == "j3"
        stage.now += LIFE
        assert stage.find() == ""

    staged(tmp_path, story)
