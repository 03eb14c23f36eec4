"""Bad input has one line that says what is wrong, and one that says what to do."""

from pathlib import Path

import pytest

from tests.estate.sample_stores import Stores

USER = "arn:aws:iam::111122223333:user/report-bot"
CAN = ("can", USER, "s3:GetObject")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Stores.below(tmp_path_factory.mktemp("hints")).of("aws", "cloudtrail")


@pytest.mark.parametrize(
    "words",
    [
        ("scan", "aws:."),
        (*CAN, "arn:aws:dynamodb:us-east-1:11112222333:table/t"),
        (*CAN, "s3://"),
        (*CAN, "s3://b/k", "--context", "aws:SourceIp=300.1.1.1"),
        ("trace", "--limit", "0"),
        ("trace", "--limit", "9999999999999999999999"),
        ("trace", "--since", "1h", "--until", "2h"),
        ("trace", "--identity", "nothing-alike"),
        ("attest", USER, "--owner", ""),
    ],
)
def test_an_error_has_a_hint(
    store: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    from answerable.cli.main import main

    assert main(["--store", str(store), *words]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
