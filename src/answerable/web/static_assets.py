"""Index the static files of `assets/` at start; requests never open a path.

`built/` is made with npm; pages work without it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

ASSETS_PATH = "/assets/"
BUILT_FOLDER = "built/"

_FOLDER = Path(__file__).parent / "assets"
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_VERSION_LENGTH = 16  # hex digits of the digest in a URL


@dataclass(frozen=True, slots=True)
class StaticAsset:
    """One static file.

    Attributes:
        name: Path below `assets/`.
        version: Digest of its content.
    """

    name: str
    media: str
    body: bytes
    version: str

    @property
    def url(self) -> str:
        """Return the URL of the file, with its version."""
        return f"{ASSETS_PATH}{self.name}?v={self.version}"


def read_assets(folder: Path) -> Mapping[str, StaticAsset]:
    """Read every servable file of a folder into memory, by relative name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        media = _MEDIA.get(path.suffix)
        if media is None or not path.is_file():
            continue
        name, body = path.relative_to(folder).as_posix(), path.read_bytes()
        version = hashlib.sha256(body).hexdigest()[:_VERSION_LENGTH]
        found[name] = StaticAsset(name, media, body, version)
    return MappingProxyType(found)


@cache
def packaged_assets() -> Mapping[str, StaticAsset]:
    """Return the static files of this package, read once."""
    return read_assets(_FOLDER)


def asset_url(name: str) -> str:
    """Return the versioned URL of a static file.

    Raises:
        KeyError: There is no such file; a template is wrong.
    """
    return packaged_assets()[name].url


def built_asset_url(name: str) -> str:
    """Return the URL of a file built by npm; empty if it was not built."""
    found = packaged_assets().get(BUILT_FOLDER + name)
    return found.url if found else ""
