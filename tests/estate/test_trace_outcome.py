"""`trace --outcome` over a trail of calls that ended in different ways."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.event import EventOutcome
from tests.estate.records import record
from tests.estate.seven import Ask

ERRORS = ("", "", "AccessDenied", "NoSuchKey")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("outcome")
    records = [record(number) | {"errorCode": e} for number, e in enumerate(ERRORS)]
    (root / "trail.json").write_text(json.dumps({"Records": records}))
    trail = f"cloudtrail:{root / 'trail.json'}"
    assert main(["--store", str(root / "store"), "-q", "ingest", trail]) == 0
    return root / "store"


def test_each_event_is_given_under_its_own_outcome(store: Path, ask: Ask) -> None:
    whole = json.loads(ask(store, "trace").out)["items"]
    parts = []
    for outcome in EventOutcome:
        answer = ask(store, "trace", "--outcome", outcome.value)
        found = json.loads(answer.out)["items"]
        assert {each["outcome"] for each in found} <= {outcome.value}
        parts += [each["event_id"] for each in found]
    assert sorted(parts) == sorted(each["event_id"] for each in whole)
    assert {each["outcome"] for each in whole} == {"success", "denied", "error"}


def test_counts_and_the_next_command_keep_the_outcome(store: Path, ask: Ask) -> None:
    counted = ask(store, "trace", "--by", "outcome", "--outcome", "denied").out
    assert {each["outcome"] for each in json.loads(counted)["items"]} == {"denied"}
    cut = ask(store, "trace", "--outcome", "success", "--limit", "1", json_out=False)
    assert "--outcome success" in cut.out + cut.err


def test_an_unknown_outcome_is_an_error_that_names_them(store: Path, ask: Ask) -> None:
    refused = ask(store, "trace", "--outcome", "deny")
    assert refused.code == 2
    assert "denied" in refused.err
    assert len(refused.err.splitlines()) == 2
