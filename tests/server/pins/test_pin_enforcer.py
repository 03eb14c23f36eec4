"""Pins on disk: what is written holds in every process, whatever the disk does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.pin_comparison import (
    apply_approval,
    select_items_for_approval,
)
from answerable.authorization.quarantine import Quarantine
from answerable.model.config import UpstreamServer
from answerable.model.definition_pin import (
    NO_PINS,
    DefinitionApproval,
    DefinitionKind,
    PinningMode,
    PinOrigin,
)
from answerable.model.errors import EnvironmentFailure
from answerable.server.pins import pin_enforcer, pin_watch
from answerable.server.pins.pin_enforcer import PinEnforcer
from answerable.server.pins.pin_files import PinFiles
from tests.gateway.recording.recorder_fixture import until

FIRST = PinOrigin.FIRST_USE
WORD = DefinitionApproval("person:ana", "s" * 64, 9)


def server(name: str, pin: PinningMode = PinningMode.FIRST_USE) -> UpstreamServer:
    url = f"http://127.0.0.1:1/{name}"
    return UpstreamServer(name, url, (), (), (), "", "", "", (), (), pin=pin)


class Process:
    """One process that holds pins."""

    def __init__(self, state: Path, *servers: UpstreamServer) -> None:
        self.quarantine: Quarantine = {}
        self.told: list[tuple[str, ...]] = []
        self.files = PinFiles(state)
        loop = asyncio.get_running_loop()
        given = servers or (server("files"),)
        self.pins = PinEnforcer(self.files, given, self, loop, self)

    def set_quarantine(self, quarantine: Quarantine) -> None:
        self.quarantine = quarantine

    def on_quarantined(self, subject: str, why: str, like: str) -> None:
        self.told.append((subject, why, like))

    def on_lookalike(self, subject: str, like: str, how: str) -> None:
        self.told.append((subject, how, like))

    def on_released(self, subject: str) -> None:
        self.told.append((subject, "released"))

    def on_failure(self, why: str) -> None:
        self.told.append(("refused", why))

    def list(self, *names: str, server: str = "files", **more: Any) -> None:
        items = [(n, json.dumps({"name": n} | more).encode()) for n in names]
        self.pins.compare_list(
            server, DefinitionKind.TOOL, items, is_last=True, is_requested=True
        )

    def holds(self, name: str, server: str = "files") -> bool:
        return self.pins.is_quarantined(server, DefinitionKind.TOOL, name)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pin_watch, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(pin_enforcer, "WRITE_INTERVAL", 0.01)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())


def test_what_one_process_saw_holds_in_another_and_so_does_an_approval(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        one, two = Process(tmp_path), Process(tmp_path)
        one.list("read")
        await until(lambda: two.holds("other"))
        two.list("read", title="x")
        assert two.holds("read")
        await until(lambda: one.holds("read"))
        assert one.quarantine["files"].tools == {"read"}
        one.files.change_pins(
            "files",
            lambda pins: apply_approval(pins, select_items_for_approval(pins), WORD),
        )
        await until(lambda: not one.holds("read") and not two.holds("read"))
        assert ("tool:mcp/files/read", "released") in one.told
        for each in (one, two):
            await each.pins.flush()

    run(story)


def test_two_processes_that_see_two_definitions_first_hold_the_one_written(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        one, two = Process(tmp_path), Process(tmp_path)
        one.list("read")
        two.list("read", title="x")
        assert not one.holds("read")
        assert not two.holds("read")
        await until(lambda: one.holds("read") and two.holds("read"))
        for each in (one, two):
            await each.pins.flush()

    run(story)


def test_what_the_disk_refuses_holds_here_and_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EnvironmentFailure("cannot write pins: No space left on device")

    async def story() -> None:
        one = Process(tmp_path)
        with monkeypatch.context() as full:
            full.setattr("answerable.server.pins.pin_files.write_file", refuse)
            one.list("read")
            one.list("read", title="x")
            assert one.holds("read")
            await until(lambda: bool(one.told))
            await until(lambda: one.told[-1][0] == "refused")
            await asyncio.sleep(0.05)
            assert one.files.read_pins("files") == NO_PINS
            assert one.holds("read")
        await until(lambda: "tool:read" in one.files.read_pins("files").seen)
        await one.pins.flush()
        refusals = [each for each in one.told if each[0] == "refused"]
        assert len(refusals) == 1

    run(story)


def test_what_is_not_written_yet_holds_whatever_another_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        one = Process(tmp_path)
        one.list("read", "write")
        await until(lambda: one.files.find_pins("files") is not None)
        with monkeypatch.context() as slow:
            slow.setattr(one.pins, "_write_observations", lambda *_: False)
            one.list("read", title="x")
            one.files.change_pins(
                "files",
                lambda p: apply_approval(
                    p, select_items_for_approval(p, ["write"]), WORD
                ),
            )
            await until(
                lambda: one.pins._pins["files"].items["tool:write"].pin_origin != FIRST
            )
            assert one.holds("read")
        await one.pins.flush()
        assert set(one.files.read_pins("files").seen) == {"tool:read"}

    run(story)


def test_what_is_left_is_written_at_the_end(tmp_path: Path) -> None:
    async def story() -> None:
        one = Process(tmp_path)
        one.list("read")
        await one.pins.flush()
        assert set(one.files.read_pins("files").items) == {"tool:read"}

    run(story)


@pytest.mark.parametrize("harm", ["gone", "cut", "another's"])
def test_pins_that_cannot_be_read_stay_in_force_and_that_is_told(
    tmp_path: Path, harm: str
) -> None:
    async def story() -> None:
        one = Process(tmp_path)
        one.list("read")
        one.list("read", title="x")
        path = one.files.pin_file_path("files")
        await until(lambda: path.exists() and bool(one.files.read_pins("files").seen))
        await asyncio.sleep(0.05)
        data = path.read_bytes()
        if harm == "gone":
            path.unlink()
        elif harm == "cut":
            path.write_bytes(data[:-9])
        else:
            path.write_bytes(data.replace(b'"server":"files"', b'"server":"mail"'))
        await until(lambda: one.told[-1][0] == "refused")
        assert one.holds("read")
        path.write_bytes(data)
        await asyncio.sleep(0.05)
        assert one.holds("read")
        await one.pins.flush()

    run(story)


def test_a_process_does_not_start_without_the_pins_that_are_there(
    tmp_path: Path,
) -> None:
    files = PinFiles(tmp_path)
    files.change_pins("files", lambda pins: pins)

    async def story() -> None:
        files.folder.mkdir(exist_ok=True)
        files.pin_file_path("files").write_bytes(b"[]")
        with pytest.raises(EnvironmentFailure, match="contains no pins of files"):
            Process(tmp_path)
        Process(tmp_path, server("files", PinningMode.OFF)).pins.close()

    run(story)


def test_names_that_are_alike_are_told_and_shadows_held(tmp_path: Path) -> None:
    async def story() -> None:
        one = Process(tmp_path, server("files"), server("mail"))
        one.list("send_mail", "read", server="mail")
        await until(lambda: one.files.find_pins("mail") is not None)
        one.list("send_mails", "send-mail")
        assert one.holds("send-mail")
        assert not one.holds("send_mails")
        await until(lambda: len(one.told) >= 4)
        assert set(one.told) == {
            ("tool:mcp/files/send-mail", "shadows", "tool:mcp/mail/send_mail"),
            ("tool:mcp/files/send-mail", "confusable", "tool:mcp/mail/send_mail"),
            ("tool:mcp/files/send_mails", "near", "tool:mcp/mail/send_mail"),
            ("tool:mcp/files/send_mails", "near", "tool:mcp/files/send-mail"),
        }
        await one.pins.flush()

    run(story)


def test_another_configuration_holds_other_servers_and_keeps_what_is_known(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        one = Process(tmp_path)
        one.list("read")
        one.pins.reconfigure((server("files", PinningMode.APPROVED), server("mail")))
        assert one.holds("read")
        assert set(one.quarantine) == {"files", "mail"}
        one.pins.reconfigure((server("files", PinningMode.OFF),))
        assert one.quarantine == {}
        assert not one.holds("read")
        one.list("read", title="x")
        await one.pins.flush()
        assert set(one.files.read_pins("files").items) == {"tool:read"}

    run(story)


def test_a_server_is_asked_once_a_minute_and_sooner_where_it_did_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        one = Process(tmp_path)
        assert one.pins.is_list_stale("files", DefinitionKind.TOOL)
        one.pins.mark_list_requested("files", DefinitionKind.TOOL)
        assert not one.pins.is_list_stale("files", DefinitionKind.TOOL)
        assert one.pins.is_list_stale("files", DefinitionKind.PROMPT)
        assert not one.pins.is_list_stale("nowhere", DefinitionKind.TOOL)
        monkeypatch.setattr(pin_enforcer, "LIST_TIMEOUT", -1.0)
        one.pins.mark_list_requested("files", DefinitionKind.TOOL)
        assert one.pins.is_list_stale("files", DefinitionKind.TOOL)
        one.list("read")
        assert not one.pins.is_list_stale("files", DefinitionKind.TOOL)
        await one.pins.flush()

    run(story)
