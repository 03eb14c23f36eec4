"""Secrets of a client's own command: read from private files alone."""

from pathlib import Path

import pytest

from answerable.gateway.stdio.child_process import ServerProgram
from answerable.gateway.stdio.server_credential import read_secret_files
from answerable.gateway.stdio.stderr_relay import LineRedactor
from answerable.model.errors import EnvironmentFailure

SECRET = "hunter2 with a blank"


def test_a_file_that_others_may_read_is_refused_without_its_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o644)
    with pytest.raises(EnvironmentFailure) as refused:
        read_secret_files((("files.TOKEN", str(path)),))
    assert SECRET not in str(refused.value)
    path.chmod(0o600)
    assert read_secret_files((("files.TOKEN", str(path)),)) == {"files.TOKEN": SECRET}


def test_references_in_the_command_and_environment_are_replaced() -> None:
    program = ServerProgram(
        ("run", "--dsn=db://u:{answerable:files.PW}@h", "{answerable:other.PW}"),
        {"TOKEN": "{answerable:files.TOKEN}", "PATH": "/bin"},
        shows_errors=True,
        secrets={"files.PW": "p", "files.TOKEN": "t"},
    )
    started = program.resolve_secrets()
    assert started.argv == ("run", "--dsn=db://u:p@h", "{answerable:other.PW}")
    assert started.environment == {"TOKEN": "t", "PATH": "/bin"}
    assert started.shows_errors
    assert set(started.redacted) == {"p", "t"}


def test_a_secret_that_is_too_short_to_be_redacted_is_unsafe() -> None:
    assert LineRedactor(["pw"]).is_unsafe
    assert LineRedactor(["long enough", "{\n}"]).is_unsafe
    assert not LineRedactor(["", "{\n  key: abcdef\n}\n"]).is_unsafe


def test_each_line_of_a_secret_is_redacted() -> None:
    redactor = LineRedactor(["-----BEGIN-----\nMIIEowIBAAKC\n"])
    assert redactor.redact(b"read MIIEowIBAAKC here\n") == b"read *** here\n"
