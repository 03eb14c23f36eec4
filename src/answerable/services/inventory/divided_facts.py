"""Facts of syncs on disk, divided by account, until those of an account are joined."""

import hashlib
import hmac
import secrets
from collections import defaultdict
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import zstandard

from answerable.inventory.fact_pool import FactPool
from answerable.model.errors import EnvironmentFailure
from answerable.model.sighting import SightedFacts, Sync
from answerable.store.durable_files import FILE_MODE, translate_os_errors
from answerable.store.table_runs import PutFile

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(SightedFacts)


class DividedFacts:
    """Facts of syncs by place, in one file.

    Attributes:
        syncs: Syncs without their facts.
    """

    def __init__(self, folder: Path, put: PutFile = nullcontext) -> None:
        """Begin a file in a folder, which the caller removes.

        Args:
            folder: Folder of the file.
            put: Context in which the file is written, see `open_runs_folder`.
        """
        self.syncs: list[Sync] = []
        self._put = put
        self._path = folder / "facts"
        with translate_os_errors("write", self._path):
            self._path.touch(FILE_MODE)
        self._key = secrets.token_bytes(32)
        # By place: the number of the sync, offset, size and MAC of its facts.
        self._parts: dict[str, list[tuple[int, int, int, bytes]]] = defaultdict(list)
        self._end = 0

    def add_sync(self, sync: Sync) -> int:
        """Add a sync without its facts; return its number."""
        self.syncs.append(replace(sync, facts=SightedFacts()))
        return len(self.syncs) - 1

    def add_facts(self, number: int, place: str, facts: SightedFacts) -> None:
        """Add facts of a sync about a place.

        Raises:
            EnvironmentFailure: The disk is full or fails, or something was erased.
        """
        body = zstandard.ZstdCompressor(level=1).compress(_ENCODER.encode(facts))
        with (
            self._put(),
            translate_os_errors("write", self._path),
            self._path.open("ab") as file,
        ):
            file.write(body)
        part = number, self._end, len(body), self._compute_mac(body)
        self._parts[place].append(part)
        self._end += len(body)

    def list_places(self) -> list[str]:
        """List the places of all facts."""
        return list(self._parts)

    def read_syncs(self, places: Iterable[str]) -> list[Sync]:
        """Read the syncs of some places, each with its facts about these alone.

        Raises:
            EnvironmentFailure: The file was changed or cannot be read.
        """
        pool = FactPool()
        found: dict[int, list[SightedFacts]] = defaultdict(list)
        with translate_os_errors("read", self._path), self._path.open("rb") as file:
            for place in places:
                for number, at, size, mac in self._parts[place]:
                    file.seek(at)
                    body = file.read(size)
                    if not hmac.compare_digest(mac, self._compute_mac(body)):
                        raise EnvironmentFailure(
                            f"{self._path} was changed", "run the command again"
                        )
                    facts = _DECODER.decode(zstandard.decompress(body))
                    found[number].append(_share_values(facts, pool))
        return [
            replace(self.syncs[number], facts=_concatenate(parts))
            for number, parts in found.items()
        ]

    def _compute_mac(self, body: bytes) -> bytes:
        """Compute the keyed BLAKE2b of a part."""
        return hashlib.blake2b(body, digest_size=16, key=self._key).digest()


def _share_values(facts: SightedFacts, pool: FactPool) -> SightedFacts:
    """Replace equal values of facts by one each."""
    for kind in fields(facts):
        for _ in pool.share(getattr(facts, kind.name)):
            pass
    return facts


def _concatenate(parts: list[SightedFacts]) -> SightedFacts:
    """Concatenate the facts of several places."""
    if len(parts) == 1:
        return parts[0]
    kinds = {
        kind.name: tuple(fact for part in parts for fact in getattr(part, kind.name))
        for kind in fields(SightedFacts)
    }
    return SightedFacts(**kinds)
