"""Create the demo's folder, and make commands use its store only."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from answerable.cli.demo.environment import SOCKET
from answerable.cli.demo.opening_chapters import STORE
from answerable.cli.signing import allow_demo_signing
from answerable.model.errors import EnvironmentFailure


@contextlib.contextmanager
def demo_folder(kept_folder: Path | None) -> Iterator[None]:
    """Run the demo in a temporary folder, or in an empty one that is kept.

    Raises:
        EnvironmentFailure: It is not empty.
    """
    if kept_folder is None:
        made = tempfile.TemporaryDirectory(prefix="demo-")
        with made as name, contextlib.chdir(name):
            yield
        return
    if kept_folder.exists() and any(kept_folder.iterdir()):
        raise EnvironmentFailure(
            f"{kept_folder} is not empty", "name a folder that does not exist yet"
        )
    kept_folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(kept_folder):
        yield


@contextlib.contextmanager
def use_demo_store() -> Iterator[None]:
    """Make every command use the demo's store and token service only."""
    own = {"ANSWERABLE_STORE": STORE, "ANSWERABLE_STS": str(Path(SOCKET).absolute())}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    allow_demo_signing(Path(STORE).absolute())
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
