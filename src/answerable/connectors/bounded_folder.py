"""Read regular files inside a folder, up to a size; links outside are not followed.

Devices, sockets and named pipes are never opened; a link is followed if it stays in the
folder; everything unreadable is recorded as a problem.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from answerable.connectors.formats.document_parser import SIZE_LIMIT, decode_text
from answerable.connectors.formats.dotenv import parse_dotenv
from answerable.connectors.formats.env_file import EnvFile
from answerable.connectors.formats.env_file_path import candidate_env_files
from answerable.connectors.formats.redaction import make_printable_line
from answerable.connectors.formats.selected_logins import ReferencedFile
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, ParseError, UsageError
from answerable.model.sighting import ReadProblem, ReadProblemKind

WALK_LIMIT = 500_000
DEPTH_LIMIT = 60
_PATH_LIMIT = 4_096
_SKIPPED_FOLDERS = frozenset((".git", "node_modules", ".venv", "__pycache__"))
_FOLDER_HINT = "check the spelling, or name another folder"


@dataclass(slots=True)
class BoundedFolder:
    """Folder that is read within bounds.

    Attributes:
        root: Its absolute path.
        problems: Existing things that could not be read.
        entries: Number of folder entries checked so far.
        full: True if there were too many.
        skipped: Links to folders outside, which were not followed.
    """

    root: Path
    problems: list[ReadProblem] = field(default_factory=list)
    entries: int = 0
    full: bool = False
    skipped: list[str] = field(default_factory=list)
    _linked: set[str] = field(default_factory=set)
    _env_files: dict[str, EnvFile | None] = field(default_factory=dict)

    @classmethod
    def open(cls, location: str) -> "BoundedFolder":
        """Open a folder whose files are read within size and count limits.

        Raises:
            UsageError: The folder is missing.
            EnvironmentFailure: It is not readable.
        """
        root = Path(os.path.abspath(os.path.expanduser(location or ".")))
        try:
            mode = os.stat(root).st_mode
        except PermissionError:
            raise EnvironmentFailure(f"{printable_path(root)}: no permission") from None
        except (OSError, ValueError):
            raise UsageError(
                f"{printable_path(root)}: no such folder", _FOLDER_HINT
            ) from None
        if not stat.S_ISDIR(mode):
            raise UsageError(f"{printable_path(root)}: not a folder", _FOLDER_HINT)
        if not os.access(root, os.R_OK | os.X_OK):
            raise EnvironmentFailure(f"{printable_path(root)}: no permission")
        return cls(root)

    def printable_absolute_path(self, path: str) -> str:
        """Return the printable absolute path of a path inside."""
        return printable_path(self.root / path)

    def expand_glob(self, pattern: str) -> list[str]:
        """List the files that match a pattern (`*` in a name, `**` for folders)."""
        found = [""]
        parts = pattern.split("/")
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            found = [
                path
                for base in found
                for path in self._expand_glob_part(base, part, last=last)
            ]
        return sorted(dict.fromkeys(found))

    def _expand_glob_part(self, base: str, part: str, *, last: bool) -> Iterator[str]:
        """Yield the paths that match one part of a pattern in a folder."""
        if part == "**":
            yield base
            yield from self._iter_folders_below(base)
        elif "*" in part:
            head, _, tail = part.partition("*")
            for name, is_folder in self._list_folder(base):
                fits = name.startswith(head) and name.endswith(tail)
                if fits and len(name) >= len(head) + len(tail):
                    path = _join_path(base, name)
                    if not last or not is_folder:
                        yield path
        elif self._path_exists(path := _join_path(base, part)):
            yield path

    def _iter_folders_below(self, base: str) -> Iterator[str]:
        """Yield every folder below a folder."""
        stack = [base]
        while stack:
            folder = stack.pop()
            for name, is_folder in self._list_folder(folder):
                if is_folder:
                    path = _join_path(folder, name)
                    yield path
                    stack.append(path)

    def walk(self, skip: Callable[[str], bool]) -> Iterator[str]:
        """Yield every file below, sorted within its folder.

        A link to a folder is followed only if its name starts with a dot (`.claude` is
        often one) and it stays inside; each such folder once.

        Args:
            skip: Predicate on a folder's path to skip it.
        """
        stack = [""]
        while stack and not self.full:
            folder = stack.pop()
            below: list[str] = []
            for name, is_folder in self._list_folder(folder):
                path = _join_path(folder, name)
                if not is_folder and not (
                    name[0] == "." and self._is_unvisited_link(path)
                ):
                    yield path
                elif not skip(path):
                    below.append(path)
            stack += below[::-1]

    def _is_unvisited_link(self, path: str) -> bool:
        """Return whether a symlink leads to a folder inside not yet visited."""
        try:
            if not os.path.islink(self.root / path) or not (self.root / path).is_dir():
                return False
        except OSError:
            return False
        real, base = os.path.realpath(self.root / path), os.path.realpath(self.root)
        if os.path.commonpath((real, base)) != base or base.startswith(real):
            self.skipped.append(path)
            return False
        if real in self._linked:
            return False
        self._linked.add(real)
        return True

    def _path_exists(self, path: str) -> bool:
        """Return whether a path exists; add a problem if permission is denied."""
        try:
            os.stat(self.root / path)
        except PermissionError:
            self._add_problem(ReadProblemKind.PERMISSION, path, "no permission")
            return False
        except (OSError, ValueError):
            return False
        return True

    def _list_folder(self, folder: str) -> list[tuple[str, bool]]:
        """List a folder: pairs of name and whether it is a folder itself."""
        found: list[tuple[str, bool]] = []
        if folder.count("/") >= DEPTH_LIMIT:
            self._add_problem(
                ReadProblemKind.TOO_LARGE,
                folder,
                f"nested more than {DEPTH_LIMIT} folders deep",
            )
            return found
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    self.entries += 1
                    if self.entries > WALK_LIMIT:
                        self._report_walk_limit(folder)
                        break
                    found.append((entry.name, entry.is_dir(follow_symlinks=False)))
        except PermissionError:
            self._add_problem(ReadProblemKind.PERMISSION, folder, "no permission")
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                what = os.strerror(error.errno or 0)
                self._add_problem(ReadProblemKind.UNREADABLE, folder, what)
        return sorted(found)

    def _report_walk_limit(self, folder: str) -> None:
        """Add a problem for a folder with too many entries."""
        if not self.full:
            what = f"more than {WALK_LIMIT} entries; the rest was not read"
            self._add_problem(ReadProblemKind.TOO_LARGE, folder, what)
        self.full = True

    def read(self, path: str, limit: int = SIZE_LIMIT) -> bytes | None:
        """Read a file inside, or return None and add a problem."""
        real = self._resolve_inside(path)
        if real is None:
            return None
        try:
            return _read_regular_file(real, limit)
        except PermissionError:
            self._add_problem(ReadProblemKind.PERMISSION, path, "no permission")
        except _FileTooLargeError:
            self._add_problem(
                ReadProblemKind.TOO_LARGE, path, f"larger than {limit} bytes"
            )
        except FileNotFoundError:
            self._add_problem(
                ReadProblemKind.UNREADABLE, path, "deleted, or a broken link"
            )
        except _NotRegularFileError:
            self._add_problem(ReadProblemKind.UNREADABLE, path, "not a regular file")
        except OSError as error:
            what = os.strerror(error.errno or 0)
            self._add_problem(ReadProblemKind.UNREADABLE, path, what)
        return None

    def read_env_file(self, place: str, name: str) -> EnvFile | None:
        """Read the environment file that a configuration names, if it is inside.

        Args:
            place: The configuration.
            name: The file as written there.
        """
        for path in candidate_env_files(place, name, printable_path(self.root)):
            if path not in self._env_files and self.expand_glob(path):
                self._env_files[path] = self._parse_env_file(path)
            if path in self._env_files:
                return self._env_files[path]
        return None

    def read_named_file(self, place: str, name: str) -> ReferencedFile | None:
        """Read a file that a configuration names, if it is inside.

        Args:
            place: The configuration.
            name: The file as written there.
        """
        for path in candidate_env_files(place, name, printable_path(self.root)):
            if self.expand_glob(path):
                data = self.read(path)
                return (
                    None
                    if data is None
                    else ReferencedFile(self.printable_absolute_path(path), data)
                )
        return None

    def _parse_env_file(self, path: str) -> EnvFile | None:
        """Read and parse an environment file; None if it cannot be read."""
        data = self.read(path)
        if data is None:
            return None
        try:
            text = decode_text(data, self.printable_absolute_path(path))
        except ParseError as error:
            self.problems.append(
                invalid_file_problem(self.printable_absolute_path(path), error)
            )
            return None
        return EnvFile(self.printable_absolute_path(path), parse_dotenv(text))

    def _resolve_inside(self, path: str) -> str | None:
        """Resolve links; None and a problem for a path outside the folder."""
        real = os.path.realpath(self.root / path)
        base = os.path.realpath(self.root)
        if os.path.commonpath((real, base)) == base:
            return real
        what = "a link to a place outside the folder was not followed"
        self._add_problem(ReadProblemKind.UNREADABLE, path, what)
        return None

    def _add_problem(self, kind: ReadProblemKind, path: str, message: str) -> None:
        """Record a read problem of a path inside the folder."""
        problem = ReadProblem(kind, self.printable_absolute_path(path), message)
        if problem not in self.problems[-50:]:
            self.problems.append(problem)


class _FileTooLargeError(OSError):
    """File above the size limit."""


class _NotRegularFileError(OSError):
    """Device, socket, pipe or folder instead of a regular file."""


def _read_regular_file(path: str, limit: int) -> bytes:
    """Read a regular file, checked before and after opening, up to a size."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _NotRegularFileError
    # Looked at again after opening: it could have been swapped for a pipe since. The
    # path has no link in it any more, so a link there now was put there since.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _NotRegularFileError
        if status.st_size > limit:
            raise _FileTooLargeError
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _FileTooLargeError
    return data


def read_file(path: str, limit: int = SIZE_LIMIT) -> bytes:
    """Read a regular file by its absolute path.

    Raises:
        OSError: It is missing, not regular, too large or not readable.
    """
    return _read_regular_file(os.path.realpath(path), limit)


def printable_path(path: "Path | str") -> str:
    """Make a path printable: replace undecodable bytes and control characters."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return make_printable_line(text, _PATH_LIMIT)


def invalid_file_problem(place: str, error: ParseError) -> ReadProblem:
    """Build the read problem of a file whose content cannot be parsed."""
    offset = f" (offset {error.offset})" if error.offset >= 0 else ""
    return ReadProblem(ReadProblemKind.INVALID, place, error.reason + offset)


def _join_path(base: str, name: str) -> str:
    return f"{base}/{name}" if base else name


def iterate_answer_files(
    location: str, suffixes: tuple[str, ...], problems: list[ReadProblem]
) -> Iterator[tuple[str, str]]:
    """Yield the file itself, or all below a folder: path, and path in the folder.

    Args:
        location: A file or a folder.
        suffixes: Endings of the files of a folder.
        problems: Gets the unread parts of the folder.

    Raises:
        EnvironmentFailure: The location is not readable.
        UsageError: The location is no valid path.
    """
    try:
        is_folder = expand_user_path(location).is_dir()
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise EnvironmentFailure(f"{location}: {why}") from None
    if not is_folder:
        yield location, location
        return
    folder = BoundedFolder.open(location)
    for each in folder.walk(lambda p: p.rpartition("/")[2] in _SKIPPED_FOLDERS):
        if each.endswith(suffixes):
            yield f"{location.rstrip('/')}/{each}", each
    problems += folder.problems
