"""Merged facts in a block file, read by row, by kind or by part."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, cast

from answerable.model.identity import Identity
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.resource import Resource
from answerable.model.sighting import SightedFacts
from answerable.store.block_file import BlockFile, BlockSection

if TYPE_CHECKING:
    from answerable.inventory.fact_pool import FactPool

# Identities of a part, in which an account is whole.
IDENTITIES_PER_PART = 20_000
# Identities that may be joined or compiled in memory, where nothing can be written.
MOST_IN_MEMORY = 100_000
ATTACHMENTS = "attachments by target"  # section
# Facts that stand once by id, in the order of ids.
KEYED_BY_ID = ("identities", "policies", "resources", "groups")
_LAYERS_OF_ORGANIZATION = (PolicyLayer.SCP, PolicyLayer.RCP)
_FEW_FACTS = 2_000  # of which equal values need little memory
_ARN_PARTS = 6
FactT = TypeVar("FactT")
KINDS: Mapping[str, type] = {
    name: typing.get_args(hint)[0]
    for name, hint in typing.get_type_hints(SightedFacts).items()
}


class StoredFacts(SightedFacts):
    """Merged facts in a block file; each kind is read on first use."""

    def __new__(cls, file: BlockFile | None = None, **kinds: object) -> "StoredFacts":
        """Create plain facts where `replace` passes their kinds."""
        if file is None:
            return SightedFacts(**kinds)  # type: ignore[arg-type, return-value]  # of `replace`
        return super().__new__(cls)

    def __init__(self, file: BlockFile) -> None:
        """Keep the file; nothing is read yet."""
        object.__setattr__(self, "_file", file)

    @cached_property
    def _sections(self) -> "dict[str, BlockSection[Any]]":
        """Sections that were opened, with the rows that they keep."""
        return {}

    def _open_rows_of_kind(self, name: str, kind: type[FactT]) -> "BlockSection[FactT]":
        """Open a lazy mapping of the facts of one kind in the block file, once."""
        opened: dict[str, BlockSection[Any]] = self._sections
        if name not in opened:
            file: BlockFile = self._file  # type: ignore[attr-defined]  # set above
            opened[name] = file.section(f"facts.{name}", kind)
        return opened[name]

    def _index_facts_of_kind(
        self, name: str, kind: type[FactT]
    ) -> "Mapping[str, FactT]":
        """Return the facts of a kind by id: the same objects if all are read already.

        A server reads all of them; rows would be decoded and kept a second time.
        """
        read = vars(self)
        if name not in read:
            return self._open_rows_of_kind(name, kind)
        indexed = f"{name} by id"
        if indexed not in read:
            read[indexed] = {str(each.id): each for each in read[name]}
        found: Mapping[str, FactT] = read[indexed]
        return found

    def is_one_part(self) -> bool:
        """Return whether the facts are few enough to be read together."""
        return self._is_one_part

    @cached_property
    def _is_one_part(self) -> bool:
        """Return whether all accounts are in one part."""
        return not any(True for _ in self._list_part_bounds())

    def iterate_parts(self) -> Iterator[SightedFacts]:
        """Yield the facts about neighbouring accounts, a limited number at a time.

        A part has what is about its identities and resources: their policies, and the
        policies of the organisation, which are in every part. Parts are in the order
        of ids.
        """
        if self.is_one_part():
            yield self
            return
        bounds = ["", *self._list_part_bounds(), ""]
        limits = tuple(
            each
            for each in cast("Iterator[PolicyAttachment]", self.iterate("attachments"))
            if each.layer in _LAYERS_OF_ORGANIZATION
        )
        for start, end in pairwise(bounds):
            yield self._read_part(start, end, limits)

    def _list_part_bounds(self) -> Iterator[str]:
        """Yield the ids that begin a part: the beginnings of accounts."""
        identities = self._open_rows_of_kind("identities", Identity)
        count, account = 0, ""
        for key in identities if len(identities) > IDENTITIES_PER_PART else ():
            if not account or not key.startswith(account):
                account = _get_account_prefix(key)
                if count >= IDENTITIES_PER_PART:
                    yield account
                    count = 0
            count += 1

    def _read_part(
        self, start: str, end: str, limits: tuple[PolicyAttachment, ...]
    ) -> SightedFacts:
        """Read the facts about ids from `start` on, before `end`.

        Args:
            start: First id.
            end: Id before which it ends; empty for none.
            limits: Attachments of the organisation's policies.
        """
        from answerable.inventory.fact_pool import FactPool

        pool = FactPool()

        def read(name: str) -> Iterator[Any]:
            section: BlockSection[Any] = self._open_rows_of_kind(name, KINDS[name])
            return pool.share(fact for _, fact in section.iter_rows(start, end))

        by_target = self.attachments_by_target()
        rows = by_target.iter_rows(start, end)
        attached = (*limits, *(each for _, found in rows for each in found))
        policies = {
            each.id: each for each in cast("Iterator[Policy]", read("policies"))
        }
        others = self._open_rows_of_kind("policies", Policy)
        for name in sorted({each.policy for each in attached} - policies.keys()):
            if name in others:
                policies[name] = others[name]
        return SightedFacts(
            identities=tuple(read("identities")),
            accounts=self.accounts,
            policies=tuple(policies.values()),
            attachments=tuple(pool.share(attached)),
            resources=tuple(read("resources")),
            public_access=self.public_access,
            groups=tuple(read("groups")),
        )

    @cached_property
    def _pool(self) -> "FactPool":
        """Values that the facts share."""
        from answerable.inventory.fact_pool import FactPool

        return FactPool()

    def read_kind(self, name: str) -> tuple[object, ...]:
        """Read all facts of one kind; if many, equal values are in memory once."""
        section: BlockSection[object] = self._open_rows_of_kind(name, KINDS[name])
        facts = (value for _, value in section.iter_rows())
        return tuple(self._pool.share(facts) if len(section) > _FEW_FACTS else facts)

    def iterate(self, name: str) -> Iterator[object]:
        """Yield the facts of one kind, in their order; none is kept."""
        read = vars(self)
        if name in read:
            return iter(read[name])
        section: BlockSection[object] = self._open_rows_of_kind(name, KINDS[name])
        return (value for _, value in section.iter_rows())

    def attachments_by_target(self) -> "BlockSection[tuple[PolicyAttachment, ...]]":
        """Return the attached policies of each target, read on use."""
        file: BlockFile = self._file  # type: ignore[attr-defined]  # set above
        return file.section(ATTACHMENTS, tuple[PolicyAttachment, ...])

    def policies_by_id(self) -> Mapping[str, Policy]:
        """Return the policies by id, read on use."""
        return self._index_facts_of_kind("policies", Policy)

    def has_policies(self) -> bool:
        """Return whether a source collected any policy; none is read."""
        return bool(self._open_rows_of_kind("policies", Policy))

    def identities_by_id(self) -> Mapping[str, Identity]:
        """Return the identities by id, read on use."""
        return self._index_facts_of_kind("identities", Identity)

    def resources_by_id(self) -> Mapping[str, Resource]:
        """Return the resources by id, read on use."""
        return self._index_facts_of_kind("resources", Resource)

    def list_catalogue_platforms(self) -> Sequence[str]:
        """List the platform of each catalogue; none is read."""
        return [name for _, name in self._open_catalogue_platforms().iter_rows()]

    def select_catalogues(self, platform: str) -> Sequence[PlatformCatalogue]:
        """Select the catalogues of a platform; no other is read."""
        rows = self._open_rows_of_kind("catalogues", PlatformCatalogue)
        names = self._open_catalogue_platforms().iter_rows()
        return [rows[key] for key, name in names if name == platform]

    def _open_catalogue_platforms(self) -> "BlockSection[str]":
        """Open the platforms of the catalogues, by the keys of their rows."""
        return self._open_rows_of_kind("catalogues.platforms", str)


def _build_lazy_facts_property(name: str) -> "cached_property[tuple[object, ...]]":
    """Build a property that reads all facts of one kind on first use."""

    def read(facts: StoredFacts) -> tuple[object, ...]:
        return facts.read_kind(name)

    found = cached_property(read)
    found.__set_name__(StoredFacts, name)
    return found


for _field in fields(SightedFacts):
    setattr(StoredFacts, _field.name, _build_lazy_facts_property(_field.name))


def _get_account_prefix(key: str) -> str:
    """Return the beginning of the ids of an account; an id that is no ARN as it is."""
    parts = key.split(":", _ARN_PARTS - 1)
    return ":".join((*parts[:-1], "")) if len(parts) == _ARN_PARTS else key
