"""Where the demo takes place: a folder, and a store in it that is nobody else's."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from answerable.cli.demo.estate import STORE
from answerable.cli.demo.office import SOCKET
from answerable.cli.signing import made_up
from answerable.model.errors import EnvironmentRefused


@contextlib.contextmanager
def folder(keep: Path | None) -> Iterator[None]:
    """Work in a folder: a temporary one, or one that is kept.

    Raises:
        EnvironmentRefused: It is not empty.
    """
    if keep is None:
        made = tempfile.TemporaryDirectory(prefix="demo-")
        with made as name, contextlib.chdir(name):
            yield
        return
    if keep.exists() and any(keep.iterdir()):
        raise EnvironmentRefused(
            f"{keep} is not empty", "name a folder that does not exist yet"
        )
    keep.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(keep):
        yield


@contextlib.contextmanager
def own_places() -> Iterator[None]:
    """Have every command use the demo's store and token service, and no other ones."""
    own = {"ANSWERABLE_STORE": STORE, "ANSWERABLE_STS": str(Path(SOCKET).absolute())}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    made_up(Path(STORE).absolute())
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
