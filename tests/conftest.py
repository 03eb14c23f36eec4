"""What holds for every test: no outside socket, and nobody's own settings."""

import gc
import ipaddress
import itertools
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from answerable.cli import owner_key_files
from answerable.services import python_gc_pause

# Examples of a law that states no number of its own.
EXAMPLES = 50
settings.register_profile(
    "answerable",
    deadline=None,
    print_blob=True,
    max_examples=EXAMPLES,
    # A machine that is busy with other work is slow, and says nothing of a test.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "answerable-ci",
    settings.get_profile("answerable"),
    derandomize=True,
    database=None,
)
settings.load_profile("answerable-ci" if "CI" in os.environ else "answerable")


def _is_inside(host: object) -> bool:
    """Say whether `host` is this machine's own loopback, or no host at all."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_outside_sockets(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not _is_inside(host):
        raise RuntimeError(f"a test reached for {host!r}; tests stay on this machine")


sys.addaudithook(_refuse_outside_sockets)

_TURNS = itertools.count()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have the garbage collector look at what tests leave, not at the tests.

    Thousands are collected, and live as long as the run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _frozen_leftovers() -> Iterator[None]:
    """Have collections look at what one module makes, not at what all before it left.

    Commands run in this process, and some collect garbage: each would look at every
    object of the run, which takes a second after some thousand tests.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session", autouse=True)
def _cheap_passphrases() -> Iterator[None]:
    """What makes guessing passphrases dear is paid where it is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner_key_files, "_COST", 1 << 4)
        patch.setattr(owner_key_files, "_PARALLEL", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_disk() -> Iterator[None]:
    """Flush nothing to disk: no power fails here, and each flush takes milliseconds.

    What is flushed, and in which order, is tested in tests/store/test_durable.py.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.setattr(os, "fdatasync", lambda handle: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _frozen_tests() -> Iterator[None]:
    """Have no build unfreeze the collected tests: each look at them takes a second."""
    without_freeze = SimpleNamespace(
        isenabled=gc.isenabled,
        enable=gc.enable,
        disable=gc.disable,
        collect=gc.collect,
        get_threshold=gc.get_threshold,
        set_threshold=gc.set_threshold,
        freeze=lambda: None,
        unfreeze=lambda: None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(python_gc_pause, "gc", without_freeze)
        patch.setattr(python_gc_pause, "_COLLECT_EVERY", 64)
        yield


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, _empty_home: Path) -> None:
    """Hide the home, store and cloud settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "ANSWERABLE_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(_empty_home))
    # Nothing is there unless a test makes it: most tests need no folder at all.
    monkeypatch.setenv("XDG_DATA_HOME", f"{_empty_home}-xdg-data/{next(_TURNS)}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # On a desktop, `protect` would write into the keyring of whoever runs the tests.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
