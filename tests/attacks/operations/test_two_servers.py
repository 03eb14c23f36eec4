"""A second `serve` with another policy cannot take connections of the first one."""

import copy
import itertools
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from answerable.model.config import ListenAddress, Listener
from answerable.model.errors import EnvironmentFailure
from answerable.server import listening_sockets
from answerable.server.listening_sockets import BoundListener, bind_listener
from tests.gateway.serve.running_gateway import SECONDS, Backend, configuration, serving

EVERY = "0.0.0.0"  # noqa: S104 - on purpose
HOSTS = ("127.0.0.1", EVERY, "::1", "::")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def at(host: str, port: int) -> Listener:
    return Listener(ListenAddress(host, port), "", (), (), "", None)


def unix(path: Path | str) -> Listener:
    return Listener(None, str(path), (), (), "", None)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.world), 2])
def test_a_second_server_at_the_port_refuses_to_start(
    tmp_path: Path, server: Backend, counted: list[str], workers: int
) -> None:
    settings = configuration(server.server_port)
    address = f"127.0.0.1:{free_port()}"
    settings["listen"]["gateway"] = [{"address": address}]
    settings["listen"]["workers"] = workers
    lenient = copy.deepcopy(settings) | {"store": "other"}
    lenient["agents"]["ana"]["allow"][0]["tools"].append("forbidden")
    lenient["listen"]["workers"] = 2
    (tmp_path / "other").mkdir()
    with (
        serving(tmp_path, settings, lines=2) as first,
        serving(tmp_path / "other", lenient, lines=0) as second,
    ):
        assert second.process.wait(SECONDS) == 5
        said = [each["line"] for each in second.log if each["event"] == "text"]
        (error,) = (each for each in said if each.startswith("error: "))
        assert error == f"error: cannot listen at {address} (Address already in use)"
        for _ in range(60):
            assert "error" in first.call("forbidden")
            counted.append("forbidden call")


def test_every_pair_of_overlapping_addresses_is_refused(
    counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_sockets, "BIND_TIMEOUT", 0.0)
    for first, second in itertools.product(HOSTS, HOSTS):
        both_fours = "." in first and "." in second
        overlap = first == second or (both_fours and EVERY in (first, second))
        overlap |= not both_fours and "::" in (first, second)
        if not overlap:
            continue
        for workers, later in itertools.product((1, 2), (1, 2)):
            bound = bind_listener(at(first, 0), workers)
            assert bound.address is not None
            try:
                with pytest.raises(EnvironmentFailure, match="cannot listen at"):
                    bind_listener(at(second, bound.address.port), later).close()
                counted.append(f"{first} then {second}")
            finally:
                bound.close()


def test_of_many_starts_at_one_moment_one_has_the_address(
    tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_sockets, "BIND_TIMEOUT", 0.6)
    for number in range(4):
        port, path = free_port(), str(tmp_path / f"{number}.sock")
        abandoned = socket.socket(socket.AF_UNIX)
        abandoned.bind(path)
        abandoned.close()
        for listener in (at("127.0.0.1", port), unix(path)):
            bound: list[BoundListener] = []
            refused: list[EnvironmentFailure] = []
            line = threading.Barrier(8)

            def start(listener=listener, bound=bound, refused=refused, line=line):
                line.wait(60)
                try:
                    bound.append(bind_listener(listener, 2))
                except EnvironmentFailure as error:
                    refused.append(error)

            threads = [threading.Thread(target=start) for _ in range(8)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(60)
            assert (len(bound), len(refused)) == (1, 7)
            counted.extend(["start"] * 8)
            bound[0].close()


def test_one_that_ends_leaves_a_socket_that_another_has_bound_since(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gw.sock"
    first = bind_listener(unix(path), 2)
    path.unlink()
    second = bind_listener(unix(path), 2)
    first.close()
    assert path.exists()
    second.close()
    assert not path.exists()


def test_a_socket_whose_queue_is_full_is_not_abandoned(tmp_path: Path) -> None:
    path = str(tmp_path / "gw.sock")
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(path)
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for each in waiting:
            each.settimeout(0.01)
            each.connect_ex(path)
        with pytest.raises(EnvironmentFailure, match="in use"):
            bind_listener(unix(path), 2)
        for each in waiting:
            each.close()


def test_who_holds_the_name_of_the_lock_only_delays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening_sockets, "BIND_TIMEOUT", 0.2)
    port = free_port()
    with listening_sockets._hold_bind_lock(f"tcp:{port}"):
        bound = bind_listener(at("127.0.0.1", port), 2)
        with pytest.raises(EnvironmentFailure):
            bind_listener(at("127.0.0.1", port), 2)
    bound.close()


def test_workers_of_a_server_that_was_killed_listen_no_more(
    tmp_path: Path, server: Backend
) -> None:
    """They answer what is under way; a new server has the address to itself."""
    settings = configuration(server.server_port)
    port = free_port()
    settings["listen"]["gateway"] = [{"address": f"127.0.0.1:{port}"}]
    server.calls.clear()
    with serving(tmp_path, settings, lines=2) as first:
        (worker,) = first.workers()

        def wait() -> None:
            with suppress(OSError, HTTPException):
                first.call("slow", arguments={"seconds": 20})

        slow = threading.Thread(target=wait)
        slow.start()
        while "slow" not in server.calls:
            time.sleep(0.01)
        os.kill(first.process.pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while listens(port):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert Path(f"/proc/{worker}/exe").exists()
        os.kill(worker, signal.SIGKILL)
        slow.join(60)


def listens(port: int) -> bool:
    """Say whether anything listens at a port (LISTEN is 0A in proc_net_tcp(5))."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(
        each.split()[1].endswith(f":{port:04X}") and each.split()[3] == "0A"
        for each in lines
    )
