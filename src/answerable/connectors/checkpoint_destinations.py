"""Destinations of exported checkpoints: a file, a git repository, an S3 bucket.

    FILE                            replaced by each export
    git:FOLDER                      one commit for each checkpoint, pushed to the only remote
    s3://BUCKET/KEY[,lock_days=N]   one locked version of the object for each checkpoint

Each destination gives back the newest checkpoint in it, so that an export can refuse to
replace it by an older one. S3 Object Lock needs a bucket that was created with it
(docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html); mode COMPLIANCE lets no
user delete a version before its date, the root user included.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from answerable.connectors.boto3_import import require_boto3
from answerable.connectors.regular_file import open_named_file
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, UsageError

DEFAULT_LOCK_DAYS = 365
FILE_NAME = "checkpoint"  # in a git repository
_MAX_BYTES = 1 << 20
_GIT_TIMEOUT = 60  # seconds
# Variables that a hook of git sets: they name another repository than the folder's.
_GIT_VARIABLES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
_S3 = re.compile(
    r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^,\x00-\x1f]{1,1000})"
    r"(?:,lock_days=([1-9][0-9]{0,4}))?"
)


class CheckpointDestination(Protocol):
    """Destination of exported checkpoints."""

    def read(self) -> bytes:
        """Read the newest checkpoint; empty if there is none.

        Raises:
            EnvironmentFailure: The destination cannot be read.
        """

    def write(self, note: bytes, now: int) -> None:
        """Write a checkpoint durably.

        Args:
            note: Signed note.
            now: UTC nanoseconds.

        Raises:
            EnvironmentFailure: The destination cannot be written.
        """


def parse_destination(text: str, folder: Path | None = None) -> CheckpointDestination:
    """Parse the text of a destination.

    Args:
        text: See the module.
        folder: Folder of relative paths; that of the process by default.

    Raises:
        UsageError: The text is malformed.
    """
    if text.startswith("s3:"):
        found = _S3.fullmatch(text)
        if found is None:
            raise UsageError(
                f"not an S3 destination (got {text[:80]!r})",
                "expected s3://BUCKET/KEY or s3://BUCKET/KEY,lock_days=365",
            )
        return _LockedObject(found[1], found[2], int(found[3] or DEFAULT_LOCK_DAYS))
    base = folder or Path()
    if text.startswith("git:"):
        return _CheckpointRepository(base / expand_user_path(text.removeprefix("git:")))
    return _CheckpointFile(base / expand_user_path(text))


def resolve_destination(text: str, folder: Path | None = None) -> str:
    """Return a destination with an absolute path.

    Raises:
        UsageError: The text is malformed.
    """
    found = parse_destination(text, folder)
    if isinstance(found, _CheckpointRepository):
        return f"git:{found.folder.absolute()}"
    return str(found.path.absolute()) if isinstance(found, _CheckpointFile) else text


@dataclass(frozen=True, slots=True)
class _CheckpointFile:
    """A file that each export replaces."""

    path: Path

    def read(self) -> bytes:
        """Read the file; empty if it is missing."""
        try:
            with open_named_file(self.path) as file:
                return file.read(_MAX_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _build_path_error("read", self.path, error) from None

    def write(self, note: bytes, now: int) -> None:
        """Replace the file atomically."""
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            with open(part, "wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError as error:
            raise _build_path_error("write", self.path, error) from None


def _build_path_error(what: str, path: Path, error: OSError) -> EnvironmentFailure:
    """Build the error for a file that cannot be read or written."""
    return EnvironmentFailure(
        f"cannot {what} {path}: {os.strerror(error.errno or 0)}",
        "check that the folder exists, and its permissions",
    )


@dataclass(frozen=True, slots=True)
class _CheckpointRepository:
    """A local repository; its hooks are not run."""

    folder: Path

    def read(self) -> bytes:
        """Read the committed checkpoint; empty before the first commit."""
        self._run_git("rev-parse", "--git-dir")
        head = self._run_git("rev-parse", "--verify", "--quiet", "HEAD", check=False)
        if not head.strip():
            return b""
        # An error is none of an empty repository: the history could not be compared.
        if not self._run_git("ls-tree", "--name-only", "HEAD", FILE_NAME).strip():
            return b""
        return self._run_git("show", f"HEAD:./{FILE_NAME}")

    def write(self, note: bytes, now: int) -> None:
        """Commit a checkpoint, and push it if the repository has a remote."""
        if note != self.read():
            _CheckpointFile(self.folder / FILE_NAME).write(note, now)
            self._run_git("add", "--", FILE_NAME)
            size = note.split(b"\n", 2)[1].decode("ascii")
            message = f"checkpoint: log of size {size}"
            date = f"{now // 10**9} +0000"
            self._run_git(
                "commit", "--quiet", "--message", message, "--", FILE_NAME, date=date
            )
        remotes = self._run_git("remote").split()
        if len(remotes) > 1:
            raise EnvironmentFailure(
                f"the repository {self.folder} has {len(remotes)} remotes",
                "use a repository with one remote, to which each checkpoint is pushed",
            )
        if remotes:
            self._run_git("push", "--quiet", remotes[0].decode(), "HEAD")

    def _run_git(self, *words: str, check: bool = True, date: str = "") -> bytes:
        """Run a git command in the folder; return its output."""
        git = shutil.which("git")
        if git is None:
            raise EnvironmentFailure("git is not installed", "install git")
        env = {
            **{k: v for k, v in os.environ.items() if k not in _GIT_VARIABLES},
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "answerable",
            "GIT_AUTHOR_EMAIL": "answerable@localhost",
            "GIT_COMMITTER_NAME": "answerable",
            "GIT_COMMITTER_EMAIL": "answerable@localhost",
        }
        if date:
            env |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        quiet = ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false"]
        try:
            done = subprocess.run(  # noqa: S603 - fixed words; no option of the user
                [git, "-C", str(self.folder), *quiet, *words],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_GIT_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(
                f"git {words[0]} in {self.folder} took more than {_GIT_TIMEOUT} s",
                "check the remote of the repository",
            ) from None
        if done.returncode and check:
            raise EnvironmentFailure(
                f"git {words[0]} failed in {self.folder} (exit code {done.returncode})",
                f"run it there: git {words[0]}; a repository is created by: git init",
            )
        return done.stdout


@dataclass(frozen=True, slots=True)
class _LockedObject:
    """An object whose versions are locked."""

    bucket: str
    key: str
    lock_days: int

    def read(self) -> bytes:
        """Read the newest version; empty if there is none."""
        with self._open_client("read") as client:
            try:
                found = client.get_object(Bucket=self.bucket, Key=self.key)
            except client.exceptions.NoSuchKey:
                return b""
            data: bytes = found["Body"].read(_MAX_BYTES)
            return data

    def write(self, note: bytes, now: int) -> None:
        """Put a version that cannot be deleted before `lock_days` have passed.

        An unchanged checkpoint is put again when half of its time has passed.
        """
        at = datetime.fromtimestamp(now // 10**9, UTC)
        with self._open_client("write") as client:
            if note == self.read():
                newest = client.head_object(Bucket=self.bucket, Key=self.key)
                until = newest.get("ObjectLockRetainUntilDate")
                if until and until - at > timedelta(days=self.lock_days) / 2:
                    return
            client.put_object(
                Bucket=self.bucket,
                Key=self.key,
                Body=note,
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=at + timedelta(days=self.lock_days),
            )

    @contextmanager
    def _open_client(self, what: str) -> Iterator[Any]:
        """Create a client, and translate its errors."""
        with require_boto3("an S3 destination"):
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        config = Config(
            connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 3}
        )
        try:
            yield boto3.client("s3", config=config)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))[:80]
            raise self._build_error(what, code) from None
        except BotoCoreError as error:
            raise self._build_error(what, type(error).__name__) from None

    def _build_error(self, what: str, reason: str) -> EnvironmentFailure:
        """Build the error for a refused request."""
        return EnvironmentFailure(
            f"cannot {what} s3://{self.bucket}/{self.key} ({reason})",
            "the bucket needs Object Lock, and the identity s3:GetObject, s3:PutObject, "
            "s3:GetObjectRetention and s3:PutObjectRetention",
        )
