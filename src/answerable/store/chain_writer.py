"""Write the files of chains: all chains, or those that have changed.

Chains are written as they are derived, with a part of them in memory. An update writes
the files that have a changed chain, and one for new chains.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_file import (
    ChainFileList,
    ChainPart,
    MonthCounts,
    are_valid_files,
    compute_file_mac,
    delete_chain_file_list,
    load_chain_file_list,
    remove_obsolete_files,
    save_chain_file_list,
)
from answerable.store.chain_inputs import (
    ChainInputs,
    load_chain_inputs,
    save_chain_inputs,
)
from answerable.store.chain_tables import (
    build_chain_interval_table,
    build_chain_table,
)
from answerable.store.day_files import remove_other_files
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    choose_file_mode,
    make_store_folder,
    translate_os_errors,
)
from answerable.store.lineage_days import (
    CHAIN_KEYS,
    ISSUANCES,
    SOURCED_KEY_COLUMNS,
)
from answerable.store.lineage_facts import remove_outdated_cache
from answerable.store.query_tables import NamedTable, ParquetTable, register_table
from answerable.store.store_layout import CHAIN_COUNTS_FOLDER, CHAIN_FOLDER

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Of the rows: a search reads the row groups that may have a name.
_ORDER = (
    "source, believed, identity, credential, session, person, run, agent, tool, "
    "valid_from"
)
_BATCH = 25_000  # chain keys that are held as rows at once
_KEYS_OF_FILE = 50_000
_ROWS_PER_GROUP = 8192  # a question about one identity reads few groups
_SMALL_FILES = 8  # more than needed, before small neighbours are merged
_MEMORY = "192MB"


@contextlib.contextmanager
def lock_chain_file(store: "EvidenceStore") -> Iterator[None]:
    """Wait until no other process derives or counts the chains of the store.

    The folder is locked: an erasure deletes all files in it.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    make_store_folder(store.derived)
    with translate_os_errors("lock", store.derived):
        handle = os.open(store.derived, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for folder in (CHAIN_FOLDER, CHAIN_COUNTS_FOLDER):
            for part in (store.derived / folder).glob(".*.new"):
                part.unlink(missing_ok=True)  # of a killed process
        yield
    finally:
        os.close(handle)


def find_earlier_chain_file(
    store: "EvidenceStore",
) -> tuple[ParquetTable, ChainInputs] | None:
    """Find the chains of any generation, with the facts they were derived from."""
    files = load_chain_file_list(store)
    if files is None:
        return None
    inputs = load_chain_inputs(store, _describe_parts(files))
    return None if inputs is None else (files.open_parts(store), inputs)


def _describe_parts(files: ChainFileList) -> str:
    """Describe the chains of a list of files: those with other chains differ."""
    return " ".join(each.name for each in files.parts)


def write_chain_file(
    store: "EvidenceStore",
    generation: str,
    chains: Iterable[ChainTimeline],
    inputs: ChainInputs | None = None,
    replaced: Sequence[SourcedChainKey] | None = None,
) -> ParquetTable:
    """Write the current chains, in memory as for a part of them.

    Args:
        store: The store.
        generation: Generation of the facts that are read.
        chains: Chains to write.
        inputs: Facts that they were derived from, if known.
        replaced: Chain keys without the chains that the files have of them; the other
            chains of the files are kept. None to keep none.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    before = load_chain_file_list(store)
    obsolete = () if before is None else before.list_names()
    if before is None or replaced is None:
        before, replaced = ChainFileList(""), ()
    files = _PartWriter(store, before).write(chains, replaced)
    files = replace(files, generation=generation, obsolete=obsolete)
    if inputs is not None:
        save_chain_inputs(store, _describe_parts(files), inputs)
    save_chain_file_list(store, files)
    remove_obsolete_files(store, files)
    return files.open_parts(store)


def remove_outdated_chains(store: "EvidenceStore") -> None:
    """Remove all files that are not of the current chains, also those of questions.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    with lock_chain_file(store):
        files = load_chain_file_list(store)
        if files is None or files.generation != compute_chains_generation(store):
            files = ChainFileList("")
            delete_chain_file_list(store)
        else:
            files = replace(files, obsolete=())
            save_chain_file_list(store, files)
        remove_obsolete_files(store, files)
        inputs = load_chain_inputs(store, _describe_parts(files))
        keys, issuances = (
            (inputs.key_files, inputs.issuance_files) if inputs else ((), ())
        )
        remove_other_files(store, CHAIN_KEYS, map(Path, keys))
        remove_other_files(store, ISSUANCES, map(Path, issuances))
        remove_outdated_cache(store)


@dataclass(slots=True)
class _Part:
    """File of chains that is kept, or whose rows are written to another file.

    Attributes:
        path: The file.
        keys: Number of its chain keys that are kept.
        is_kept: Whether the file is kept as it is, unless it is merged.
    """

    path: Path
    keys: int
    is_kept: bool


@dataclass(slots=True)
class _PartWriter:
    """Writer of the parts that differ from those before.

    Attributes:
        store: The store.
        before: Files before.
        engine: Engine over the folder of the parts.
    """

    store: "EvidenceStore"
    before: ChainFileList
    engine: DuckDbEngine = field(init=False)

    @property
    def folder(self) -> Path:
        """Return the folder of the parts."""
        return self.store.derived / CHAIN_FOLDER

    def write(
        self, chains: Iterable[ChainTimeline], replaced: Sequence[SourcedChainKey]
    ) -> ChainFileList:
        """Write the chains, and leave out those of replaced chain keys.

        Returns:
            The files, with the earlier counts that are still of these chains.
        """
        make_store_folder(self.folder)
        counts = self.store.derived / CHAIN_COUNTS_FOLDER
        self.engine = DuckDbEngine(self.folder, _MEMORY, folders=[counts])
        fresh: list[_Part] = []
        try:
            number = self.before.next_number
            for table in _build_tables(chains, number):
                register_table(self.engine, "part", table)
                path = self.folder / f".{number}.new"
                write_rows(self.engine, f"(FROM part ORDER BY {_ORDER})", path)
                keys = len({row["n"] for row in table.rows})
                fresh.append(_Part(path, keys, is_kept=False))
                number += keys
            self.engine.run("DROP TABLE part")
            gone = build_chain_interval_table([(each, 0, 0) for each in replaced])
            register_table(self.engine, "replaced", gone)
            self._find_gone(fresh)
            parts = [*self._open_parts_before(), *fresh]
            parts = [self._leave_out_gone(each) for each in parts]
            kept_counts = self._select_counts()
            written = [self._write_group(group) for group in _group_parts(parts)]
        finally:
            self.engine.close()
            with contextlib.suppress(OSError):
                for each in fresh:
                    each.path.unlink(missing_ok=True)
        return ChainFileList("", tuple(written), number, kept_counts)

    def _open_parts_before(self) -> list[_Part]:
        """Open the parts before."""
        paths = self.before.open_parts(self.store).files
        return [
            _Part(path, each.keys, is_kept=True)
            for path, each in zip(paths, self.before.parts, strict=True)
        ]

    def _find_gone(self, fresh: Sequence[_Part]) -> None:
        """Make the table `gone` of the chains that are left out.

        They are those of replaced chain keys. If the new chains of such a key are equal
        to those before, the new ones are left out.
        """
        self.engine.run("CREATE TABLE gone (file VARCHAR, n BIGINT)")
        old = self.before.open_parts(self.store).files
        if not old:
            return
        keys = SOURCED_KEY_COLUMNS
        rows = (
            f"SELECT * FROM read_parquet({{}}, filename=true) "  # noqa: S608 - ours
            f"SEMI JOIN replaced USING ({keys})"
        )
        new = [each.path for each in fresh]
        self.engine.run(f"CREATE VIEW old_rows AS {rows.format(_list_files(old))}")
        self.engine.run(f"CREATE VIEW new_rows AS {rows.format(_list_files(new))}")
        values = "SELECT * EXCLUDE (filename, n) FROM"
        self.engine.run(
            f"CREATE TABLE changed AS SELECT DISTINCT {keys} FROM ("  # noqa: S608 - ours
            f"({values} old_rows EXCEPT {values} new_rows) UNION ALL "
            f"({values} new_rows EXCEPT {values} old_rows))"
        )
        self.engine.run(
            "INSERT INTO gone SELECT DISTINCT filename, n FROM old_rows "  # noqa: S608 - ours
            f"SEMI JOIN changed USING ({keys}) UNION ALL "
            "SELECT DISTINCT filename, n FROM new_rows "
            f"ANTI JOIN changed USING ({keys})"
        )

    def _leave_out_gone(self, part: _Part) -> _Part:
        """Return a part without the chains that are left out."""
        query = "SELECT count(*) FROM gone WHERE file = ?"
        ((lost,),) = self.engine.run(query, (str(part.path.absolute()),))
        is_kept = part.is_kept and not lost
        return _Part(part.path, part.keys - cast("int", lost), is_kept)

    def _select_counts(self) -> dict[str, MonthCounts]:
        """Select the valid counts that name no replaced chain."""
        table = self.before.open_counts(self.store)
        pairs = zip(self.before.counts.items(), table.files, strict=True)
        valid = {
            path: pair
            for pair, path in pairs
            if are_valid_files(self.store, CHAIN_COUNTS_FOLDER, ParquetTable((path,)))
        }
        if not valid:
            return {}
        rows = self.engine.run(
            f"SELECT DISTINCT filename FROM read_parquet({_list_files(valid)}, "  # noqa: S608 - ours
            "filename=true) SEMI JOIN gone USING (n)"
        )
        changed = {Path(str(file)).name for (file,) in rows}
        return dict(pair for path, pair in valid.items() if path.name not in changed)

    def _write_group(self, group: Sequence[_Part]) -> ChainPart:
        """Write the rows of neighbours to one file; one that is kept stays."""
        keys = sum(each.keys for each in group)
        if len(group) == 1 and group[0].is_kept:
            return ChainPart(group[0].path.name, keys)
        rows = (
            f"(FROM read_parquet({_list_files([each.path for each in group])}) "
            f"ANTI JOIN gone USING (n) ORDER BY {_ORDER})"
        )
        return ChainPart(
            write_named_file(self.store, CHAIN_FOLDER, "part", self.engine, rows), keys
        )


def _group_parts(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Group neighbours that are written to one file; leave out empty ones.

    New parts are merged, and all parts if there are many small ones.
    """
    filled = [each for each in parts if each.keys] or [*parts[:1]]
    needed = sum(each.keys for each in filled) // _KEYS_OF_FILE + 1
    merges_all = len(filled) > 2 * needed + _SMALL_FILES
    groups: list[list[_Part]] = []
    for each in filled:
        last = groups[-1] if groups else []
        fits = sum(part.keys for part in last) + each.keys <= _KEYS_OF_FILE
        are_new = not any(part.is_kept for part in (*last, each))
        if last and fits and (merges_all or are_new):
            last.append(each)
        else:
            groups.append([each])
    return groups


def _build_tables(chains: Iterable[ChainTimeline], first: int) -> Iterator[NamedTable]:
    """Yield tables of the chains, each with a part of the chain keys."""
    left, number = iter(chains), first
    while (part := tuple(islice(left, _BATCH))) or number == first:
        yield build_chain_table(part, number)
        number += _BATCH


def write_named_file(
    store: "EvidenceStore", folder: str, name: str, engine: DuckDbEngine, rows: str
) -> str:
    """Write rows to a file that is named by its content; return the name.

    Args:
        store: The store.
        folder: Folder in `derived/`.
        name: Beginning of the name.
        engine: Engine with the rows.
        rows: SQL of the rows in parentheses.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    parent = store.derived / folder
    temp_path = parent / f".{name}.new"
    try:
        write_rows(engine, rows, temp_path)
        file = parent / f"{name}-{compute_file_mac(store, folder, temp_path)}.parquet"
        with translate_os_errors("write", file):
            temp_path.chmod(choose_file_mode(parent))
            temp_path.replace(file)
    finally:
        with contextlib.suppress(OSError):
            temp_path.unlink(missing_ok=True)
    return file.name


def write_rows(engine: DuckDbEngine, rows: str, file: Path) -> None:
    """Write rows to a new Parquet file.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    with translate_os_errors("write", file):
        file.unlink(missing_ok=True)  # of a killed process of another user
    engine.run(
        f"COPY {rows} TO {quote_text(str(file.absolute()))} "
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, "
        f"ROW_GROUP_SIZE {_ROWS_PER_GROUP})"
    )


def _list_files(files: Iterable[Path]) -> str:
    """Return a list of files as an SQL literal."""
    names = ", ".join(quote_text(str(each.absolute())) for each in files)
    return f"[{names}]"
