"""`what-if` on the command line: subjects that are not known, and the target of a policy."""

import json
from pathlib import Path

import pytest

from answerable.reach.open_platforms import OpenPlatforms
from tests.estate.sample_stores import DATA, ROLE, Stores
from tests.estate.seven import Ask

REPORTER = "agent:claude-code/ana/reporter"
BOT = "arn:aws:iam::111122223333:user/report-bot"
READER = f"{ROLE}/data-reader"
LOST = f"{ROLE}/ci-deploy"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores.below(tmp_path_factory.mktemp("what-if"))


@pytest.fixture(scope="module")
def full(stores: Stores) -> Path:
    return stores.of("home", "repo", "aws", "aws-keys", "cloudtrail")


@pytest.fixture(scope="module")
def apart(stores: Stores) -> Path:
    """A home and a repository, and no account."""
    return stores.of("home", "repo", "cloudtrail")


@pytest.fixture
def reading(tmp_path: Path) -> str:
    file = tmp_path / "read.json"
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return str(file)


@pytest.fixture
def opening(tmp_path: Path) -> str:
    file = tmp_path / "open.json"
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": DATA,
    }
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return str(file)


def test_an_edit_for_a_subject_that_no_scan_saw_is_not_known(
    apart: Path, opening: str, ask: Ask
) -> None:
    bucket = DATA.partition("/")[0]
    words = ("what-if", LOST, "--with", opening, "--on", bucket)
    found = ask(apart, *words)
    item = next(i for i in found.items if i["change"] == "not-known")
    assert found.code == 0
    assert (item["before"], item["after"]) == ("not-known", "not-known")
    shown = ask(apart, *words, json_out=False)
    assert "not known:" in shown.out
    assert "account 111122223333 was not scanned" in shown.out
    assert "next: answerable scan aws:FILE" in shown.err


def test_cuts_for_a_subject_that_no_scan_saw_are_not_known(
    apart: Path, ask: Ask
) -> None:
    words = ("what-if", LOST, "--cuts", DATA, "--action", "s3:GetObject")
    found = ask(apart, *words)
    (item,) = found.items
    assert (found.code, item["verdict"]) == (0, "not-known")
    assert (item["before"], item["statements"]) == ("not-known", [])
    shown = ask(apart, *words, json_out=False)
    assert "account 111122223333 was not scanned" in shown.out


class _Known:
    """Starts of which everything is known, as a mistake would have it."""

    def __init__(self, found: object) -> None:
        self._found = found

    def __getattr__(self, name: str) -> object:
        return () if name == "unknown" else getattr(self._found, name)


@pytest.mark.parametrize("flow", ["what-if", "cuts"])
def test_these_tests_find_an_unknown_subject_that_is_forgotten(
    flow: str, apart: Path, opening: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = OpenPlatforms.find_identities
    monkeypatch.setattr(
        OpenPlatforms, "find_identities", lambda *args: _Known(right(*args))
    )
    test = {
        "what-if": lambda: test_an_edit_for_a_subject_that_no_scan_saw_is_not_known(
            apart, opening, ask
        ),
        "cuts": lambda: test_cuts_for_a_subject_that_no_scan_saw_are_not_known(
            apart, ask
        ),
    }[flow]
    with pytest.raises((AssertionError, StopIteration)):
        test()


def test_calls_that_a_cut_breaks_are_one_line_with_their_count(
    full: Path, ask: Ask
) -> None:
    words = ("what-if", READER, "--cuts", DATA, "--action", "s3:GetObject")
    used = [each["breaks"]["used"] for each in ask(full, *words).items]
    assert any(used)
    for calls in filter(None, used):
        names = [(each["identity"], each["action"]) for each in calls]
        assert len(names) == len(set(names))
    reads = ask(full, "trace", "--action", "s3:GetObject", "--identity", READER).items
    counts = {each["count"] for calls in filter(None, used) for each in calls}
    assert len([each for each in reads if each["outcome"] != "denied"]) in counts


def test_a_policy_for_an_agent_needs_the_identity_it_is_attached_to(
    full: Path, reading: str, ask: Ask
) -> None:
    refused = ask(full, "what-if", REPORTER, "--with", reading, json_out=False)
    assert refused.code == 2
    assert refused.err.splitlines() == [
        "error: --with can attach a policy only to an identity, not to an agent "
        f"(got {REPORTER!r}, expected --on IDENTITY)",
        f"hint: it acts as {READER}, {BOT}: --on {READER}",
    ]
    found = ask(full, "what-if", READER, "--with", reading)
    whole = ask(full, "what-if", REPORTER, "--with", reading, "--on", READER)
    assert found.code == 0
    assert {item["change"] for item in found.items} == {"appears"}
    assert whole.code == 0


def test_a_policy_for_a_credential_needs_the_identity_it_is_attached_to(
    full: Path, reading: str, ask: Ask
) -> None:
    (key, *_) = [
        str(item["id"])
        for item in ask(full, "credentials").items
        if str(item["id"]).startswith("cred:aws/") and item["identity"]
    ]
    refused = ask(full, "what-if", key, "--with", reading, json_out=False)
    assert refused.code == 2
    assert "not to a credential" in refused.err
    assert "--on arn:aws:iam::" in refused.err
