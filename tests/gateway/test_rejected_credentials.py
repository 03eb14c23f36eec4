"""What an operator keeps for a server is read anew once that refused it."""

import asyncio
from pathlib import Path

from tests.gateway.test_static_credential_cache import (
    SECRET,
    Stage,
    bearer,
    kept_in,
    printing,
    server,
    written,
)


def refuse(stage: Stage) -> bool:
    found = stage.held.find_credential("files")
    assert found is not None
    return stage.held.renew_rejected_credential("files", found)


def test_what_its_server_refused_is_read_once_for_all_who_come(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    count = f"print('number-of-runs-' + str(len(open({str(ran)!r}).read())))"

    async def run() -> None:
        stage = Stage(kept_in(command=printing(tmp_path, count), ttl=100))
        await stage.held.fetch_credential("files")
        first = stage.held.find_credential("files")
        assert first is not None
        assert stage.held.renew_rejected_credential("files", first)
        assert stage.shown() == ""
        await asyncio.gather(*(stage.held.fetch_credential("files") for _ in range(20)))
        assert stage.shown() == bearer("number-of-runs-2")
        assert not refuse(stage)  # a moment after the last time
        stage.now += 5
        assert not stage.held.renew_rejected_credential(
            "files", first
        )  # it is another by now
        assert refuse(stage)

    asyncio.run(run())
    assert (tmp_path / "ran").read_text() == "xx"


def test_a_second_refusal_meanwhile_loses_nothing(tmp_path: Path) -> None:
    once = "import sys; sys.exit(3) if len(open(sys.argv[1]).read()) > 1 else print("
    argv = (*printing(tmp_path, f"{once}{SECRET!r})"), str(tmp_path / "ran"))

    async def run() -> None:
        stage = Stage(kept_in(command=argv, ttl=100))
        await stage.held.fetch_credential("files")
        first = stage.held.find_credential("files")
        assert first is not None
        assert stage.held.renew_rejected_credential("files", first)
        stage.now += 6  # by now a command that is slow runs, and a call is answered
        assert not stage.held.renew_rejected_credential("files", first)
        await stage.held.fetch_credential("files")
        assert stage.shown() == bearer(SECRET)

    asyncio.run(run())


def test_what_its_server_refused_is_shown_as_before_while_there_is_no_other(
    tmp_path: Path,
) -> None:
    once = "import sys; sys.exit(3) if len(open(sys.argv[1]).read()) > 1 else print("
    argv = (*printing(tmp_path, f"{once}{SECRET!r})"), str(tmp_path / "ran"))

    async def run() -> None:
        stage = Stage(kept_in(command=argv, ttl=100))
        await stage.held.fetch_credential("files")
        assert refuse(stage)
        await stage.held.fetch_credential("files")
        assert stage.shown() == bearer(SECRET)
        assert stage.told == [
            ("credential.refused", "files", "the command ended with 3")
        ]
        assert not refuse(stage)  # it is tried again anyway
        stage.now += 100
        assert stage.shown() == ""

    asyncio.run(run())


def test_a_reload_in_between_does_not_lose_what_was_refused(tmp_path: Path) -> None:
    source = kept_in(written(tmp_path / "secret", SECRET))

    async def run() -> None:
        stage = Stage(source)
        await stage.held.fetch_credential("files")
        assert refuse(stage)
        stage.held.reconfigure((server(source),))
        assert stage.shown() == bearer(SECRET)

    asyncio.run(run())
