"""What lies in `assets/`: a list made once, so that no path of a request is opened.

`built/` in there is made with npm; where it was not, pages do without.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

BASE = "/assets/"
BUILT = "built/"

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
_SHOWN = 16  # letters of a digest that tell one version from another


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        name: Below `assets/`.
        media: Its type.
        body: Its bytes.
        version: Of these bytes.
    """

    name: str
    media: str
    body: bytes
    version: str

    @property
    def url(self) -> str:
        """Where it is served; another version has another address."""
        return f"{BASE}{self.name}?v={self.version}"


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """Read every file of a kind that we serve, by its name below the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        media = _MEDIA.get(path.suffix)
        if media is None or not path.is_file():
            continue
        name, body = path.relative_to(folder).as_posix(), path.read_bytes()
        version = hashlib.sha256(body).hexdigest()[:_SHOWN]
        found[name] = Asset(name, media, body, version)
    return MappingProxyType(found)


@cache
def assets() -> Mapping[str, Asset]:
    """Give the files of this package."""
    return read_assets(_FOLDER)


def asset(name: str) -> str:
    """Give the address of a file of ours.

    Raises:
        KeyError: There is none of that name: a fault of a template.
    """
    return assets()[name].url


def built(name: str) -> str:
    """Give the address of a file that npm made, empty where it did not."""
    found = assets().get(BUILT + name)
    return found.url if found else ""
