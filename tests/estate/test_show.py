"""`show`: one thing of each kind with its links, and what is not known of it."""

from pathlib import Path

import pytest

from tests.estate.sample_stores import ROLE, Stores
from tests.estate.seven import Answer, Ask
from tests.laws.removal import faults

REPORTER = "agent:claude-code/ana/reporter"
USER = "arn:aws:iam::111122223333:user/report-bot"
KEY = "cred:aws/AKIARTX3GSDSRRFJNQSQ"
TOOL = "tool:mcp/warehouse/*"
BUCKET = "arn:aws:s3:::example-customer-data"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores.below(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def store(stores: Stores) -> Path:
    return stores.of("home", "repo", "aws", "aws-keys", "cloudtrail")


def links(answer: Answer) -> set[tuple[object, ...]]:
    """Give kind, relation and value of each row that has one."""
    assert answer.code == 0, answer.err
    return {
        (row["kind"], row["relation"], row["value"])
        for row in answer.items
        if row["value"] is not None
    }


@pytest.mark.parametrize(
    ("named", "subject", "expected"),
    [
        (
            "reporter",
            REPORTER,
            {
                ("person", "owner", "person:ana"),
                ("agent", "parent", "agent:claude-code/ana"),
                ("tool", "has", TOOL),
                ("identity", "acts as", USER),
                ("credential", "uses", KEY),
                ("resource", "acted on", f"{BUCKET}/customers/2026/*"),
            },
        ),
        (
            TOOL,
            TOOL,
            {
                ("agent", "used by", REPORTER),
                ("identity", "acts as", USER),
                ("credential", "uses", KEY),
            },
        ),
        (
            "user/report-bot",
            USER,
            {
                ("agent", "used by", REPORTER),
                ("tool", "used by", TOOL),
                ("credential", "proven by", KEY),
                ("identity", "seen with", f"{ROLE}/tmp-export"),
            },
        ),
        (
            KEY.removeprefix("cred:aws/"),
            KEY,
            {("identity", "proves", USER), ("agent", "used by", REPORTER)},
        ),
        (
            "person:ana",
            "person:ana",
            {
                ("agent", "owns", REPORTER),
                ("fact", "also known as", "ana@corp.example"),
            },
        ),
        (
            "s3://example-customer-data",
            BUCKET,
            {("fact", "kind", "s3:bucket"), ("identity", "seen with", USER)},
        ),
        # Deleted before the scan: only the log has it.
        (
            "tmp-export",
            f"{ROLE}/tmp-export",
            {
                ("agent", "seen with", REPORTER),
                ("identity", "is", f"{ROLE}/tmp-export"),
            },
        ),
    ],
)
def test_a_thing_is_shown_with_its_links(
    store: Path, ask: Ask, named: str, subject: str, expected: set[tuple[str, str, str]]
) -> None:
    answer = ask(store, "show", named)
    assert {row["subject"] for row in answer.items} == {subject}
    assert expected - links(answer) == set()


def test_an_event_is_shown_with_its_chain_and_what_its_caller_said(
    store: Path, ask: Ask
) -> None:
    (event,) = ask(store, "trace", "--action", "s3:*", "--limit", "1").items
    answer = ask(store, "show", str(event["event_id"]))
    hops = event["hops"]
    for kind in ("person", "agent", "tool", "identity"):
        assert (kind, "by", hops[kind]["value"]) in links(answer)
    assert ("resource", "on", hops["resource"]["value"]) in links(answer)
    said = [row for row in answer.items if row["relation"] == "user_agent"]
    assert [row["written_by"] for row in said] == ["self-reported"]
    table = ask(store, "show", str(event["event_id"]), json_out=False).out
    (line,) = [each for each in table.splitlines() if "user_agent" in each]
    assert "self-reported" in line.split()


@pytest.mark.parametrize("removed", ["cloudtrail", "home", "aws-keys"])
def test_what_was_not_collected_is_not_known_with_the_source_that_would_tell(
    stores: Stores, ask: Ask, removed: str
) -> None:
    relation, source = {
        "cloudtrail": ("newest", "answerable ingest cloudtrail:"),
        "home": ("used by", "answerable scan home:"),
        "aws-keys": ("proven by", "answerable scan aws-keys:"),
    }[removed]
    rows = ask(stores.without(removed), "show", USER).items
    unknown = [r for r in rows if r["relation"] == relation and r["value"] is None]
    found = {(row["status"], source in str(row["source"])) for row in unknown}
    if removed == "aws-keys":  # the configuration of its user names the key as well
        found = found or {("missing", True)}
    assert found == {("missing", True)}


def test_a_thing_that_only_a_log_names_has_no_empty_list(store: Path, ask: Ask) -> None:
    rows = ask(store, "show", "tmp-export").items
    assert "none" not in {row["status"] for row in rows}


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("reportr", "did you mean reporter?"),
        ("arn:aws:s3:::example-customer-dat", f"did you mean {BUCKET}?"),
        ("0123456789abcdef0123456789abcdef", ""),
    ],
)
def test_an_unknown_name_gives_the_nearest(
    store: Path, ask: Ask, named: str, hint: str
) -> None:
    answer = ask(store, "show", named, json_out=False)
    assert (answer.code, answer.out) == (2, "")
    assert f"unknown id or name (got {named!r}, expected an agent, tool" in answer.err
    assert hint in answer.err


def test_an_ambiguous_name_lists_the_candidates(store: Path, ask: Ask) -> None:
    answer = ask(store, "show", "ana@corp.example", json_out=False)
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == (
        "hint: use one of: person:ana, person:ana@corp.example"
    )


def test_nothing_scanned_is_said_as_that(tmp_path: Path, ask: Ask) -> None:
    from answerable.store.store import EvidenceStore

    EvidenceStore.open(tmp_path, now=1).close()
    answer = ask(tmp_path, "show", "reporter", json_out=False)
    assert (answer.code, "the store has no scan" in answer.err) == (2, True)


def test_the_law_of_a_removed_source_notices_a_link_that_becomes_none() -> None:
    link = {"kind": "agent", "relation": "used by", "value": "a", "status": "declared"}
    gone = {**link, "value": None, "status": "none"}
    unknown = {**gone, "status": "missing"}
    assert faults("show", {"items": [link]}, {"items": [gone]})
    assert faults("show", {"items": [link]}, {"items": []})
    assert not faults("show", {"items": [link]}, {"items": [unknown]})
