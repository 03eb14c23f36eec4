"""Extract a revision of the git repository in a folder, without running its hooks."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from answerable.model.errors import EnvironmentFailure, UsageError

_TIMEOUT = 120  # seconds


@contextmanager
def extract_revision(folder: Path, revision: str) -> Iterator[Path]:
    """Extract a revision into a temporary folder that is removed afterwards.

    Args:
        folder: Folder in a working copy.
        revision: Commit, branch or tag.

    Raises:
        UsageError: It is no repository, or has no such revision.
        EnvironmentFailure: git is not installed, or the disk cannot be written.
    """
    git = shutil.which("git")
    if git is None:
        raise EnvironmentFailure("git is not installed", "name a folder instead")
    if not revision or revision.startswith("-"):
        raise UsageError(
            f"not a revision (got {revision[:80]!r})", "name one: git:main"
        )
    with TemporaryDirectory(prefix="answerable-") as made:
        run = _GitRunner(git, folder, made)
        listed = run.read("ls-tree", "-r", "-z", revision)
        if listed is None:
            raise UsageError(
                f"git has no revision {revision[:80]!r} in {folder}",
                "fetch it first, or name a folder with a checkout",
            )
        checkout = Path(made, "checkout")
        checkout.mkdir()
        # Not `git archive`: `export-ignore` in a `.gitattributes` of the revision would
        # hide files from the comparison.
        entries = list(_parse_tree(listed))
        _require_files_are_no_folders(entries)
        contents = Path(made, "contents")
        run.write_objects([each.digest for each in entries], contents)
        with contents.open("rb") as stream:
            _write_files(entries, stream, checkout)
        contents.unlink()
        yield checkout


@dataclass(frozen=True, slots=True)
class _TreeEntry:
    """File or link of a tree, with the digest of its content."""

    path: str
    digest: bytes
    link: bool


@dataclass(frozen=True, slots=True)
class _GitRunner:
    """Runner of git without the configuration of a user."""

    git: str
    folder: Path
    home: str

    def read(self, *words: str) -> bytes | None:
        """Return the output of a command; None if it fails."""
        done = self._run(words, stdout=subprocess.PIPE)
        return None if done.returncode else done.stdout

    def write_objects(self, digests: Sequence[bytes], target: Path) -> None:
        """Write the contents of objects to a file, each after a line with its size.

        Raises:
            UsageError: An object is missing.
        """
        asked = Path(self.home, "digests")
        asked.write_bytes(b"".join(each + b"\n" for each in digests))
        with asked.open("rb") as stdin, target.open("wb") as stdout:
            done = self._run(("cat-file", "--batch"), stdin=stdin, stdout=stdout)
        if done.returncode:
            raise UsageError(
                f"git cannot read the objects of {self.folder}",
                "fetch them first, or name a folder with a checkout",
            )

    def _run(
        self,
        words: Sequence[str],
        *,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command.

        Raises:
            EnvironmentFailure: It takes too long.
        """
        try:
            return subprocess.run(  # noqa: S603 - fixed words; no option of the user
                [self.git, "-C", str(self.folder), *words],
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": self.home,
                    "LC_ALL": "C",
                },
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(
                f"git did not extract the revision within {_TIMEOUT} s",
                "name a folder with a checkout",
            ) from None


def _parse_tree(listed: bytes) -> Iterator[_TreeEntry]:
    """Yield the files and links of `ls-tree -z`, without submodules."""
    for line in listed.split(b"\0"):
        head, _, path = line.partition(b"\t")
        mode, kind, digest = head.split() if path else (b"", b"", b"")
        name = os.fsdecode(path)
        parts = name.split("/")
        if kind == b"blob" and not {"", ".", "..", ".git"} & {*parts}:
            yield _TreeEntry(name, digest, mode == b"120000")


def _require_files_are_no_folders(entries: Sequence[_TreeEntry]) -> None:
    """Refuse a tree in which a file or a link is also a folder.

    No checkout has such a tree. Its link would lead a later entry out of the checkout.

    Raises:
        UsageError: A path is the folder of another one.
    """
    paths = {each.path for each in entries}
    for path in sorted(paths):
        for folder in PurePosixPath(path).parents:
            if str(folder) in paths:
                raise UsageError(
                    f"the tree of the revision names {str(folder)[:200]!r} as a file and "
                    "as a folder",
                    "check the repository with `git fsck`",
                )


def _write_files(entries: Sequence[_TreeEntry], stream: IO[bytes], root: Path) -> None:
    """Write the contents in a stream of `cat-file --batch`; links come last.

    Raises:
        UsageError: The content of a file is missing, as in a partial clone.
    """
    links: list[tuple[Path, bytes]] = []
    for entry in entries:
        head = stream.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            raise UsageError(
                f"git has no content of {entry.path[:200]!r}",
                "fetch it first, or name a folder with a checkout",
            )
        content = stream.read(int(head[2]))
        stream.read(1)
        path = root / entry.path
        if entry.link:
            links.append((path, content))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path, target in links:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(os.fsdecode(target))
