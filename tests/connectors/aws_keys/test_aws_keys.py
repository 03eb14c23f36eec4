"""Which key belongs to which user, from output of list-access-keys in any form."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.cli.sample.fake_access_keys import make_access_key_id
from answerable.connectors.aws_keys import fetch
from answerable.connectors.aws_keys.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.credential import CredentialClass, CredentialLifetime
from answerable.model.errors import AnswerableError, ParseError, UsageError
from answerable.model.sighting import Sync

ACCOUNT = "123456789012"
ETL = make_access_key_id(ACCOUNT, "etl")
PLAIN = make_access_key_id(ACCOUNT, "plain")
OLD = "AKIAIOSFODNN7EXAMPLE"  # the documentation's own; it carries no account


def entry(user: str, key: str, **more: object) -> dict[str, object]:
    made = "2024-02-03T04:10:00+00:00"
    found = {
        "UserName": user,
        "AccessKeyId": key,
        "Status": "Active",
        "CreateDate": made,
    }
    return {**found, **more}


def answer(*entries: dict[str, object]) -> dict[str, object]:
    return {"AccessKeyMetadata": list(entries)}


@pytest.fixture
def context() -> SyncContext:
    return SyncContext(1, lambda value: "0" * 24)


def read(tmp_path: Path, context: SyncContext, content: object) -> Sync:
    path = tmp_path / "keys.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text)
    return fetch.sync(str(path), context)


def links(sync: Sync) -> set[tuple[str, str]]:
    return {(link.credential, link.identity) for link in sync.facts.links}


BOTH = {
    (f"cred:aws/{ETL}", f"arn:aws:iam::{ACCOUNT}:user/etl"),
    (f"cred:aws/{PLAIN}", f"arn:aws:iam::{ACCOUNT}:user/plain"),
}


def test_a_key_is_a_static_credential_with_status_age_and_account(
    root: Path, context: SyncContext
) -> None:
    sync = fetch.sync(str(root / "tests" / "data" / "aws" / "keys.json"), context)
    assert sync.problems == ()
    assert sync.collected == ("access-keys",)
    etl, plain = sync.facts.credentials
    assert (etl.id, etl.kind) == (f"cred:aws/{ETL}", "aws-access-key")
    assert (etl.cls, etl.lifetime) == (
        CredentialClass.RECORD,
        CredentialLifetime.STATIC,
    )
    assert (etl.status, plain.status) == ("active", "inactive")
    assert (etl.account, etl.hint) == (ACCOUNT, "")
    assert etl.created_at == 1_706_933_400_000_000_000
    assert links(sync) == BOTH
    assert {link.how for link in sync.facts.links} == {"list-access-keys"}


@pytest.mark.parametrize(
    "content",
    [
        answer(entry("etl", ETL), entry("plain", PLAIN)),
        [answer(entry("etl", ETL)), answer(entry("plain", PLAIN))],
        "\n".join(
            json.dumps(answer(e)) for e in (entry("etl", ETL), entry("plain", PLAIN))
        ),
        {"etl": answer(entry("etl", ETL)), "plain": answer(entry("plain", PLAIN))},
        [entry("etl", ETL), entry("plain", PLAIN)],
        [answer(entry("etl", ETL), entry("plain", PLAIN)), answer(entry("etl", ETL))],
    ],
    ids=["one", "array", "lines", "map", "bare", "repeated"],
)
def test_every_form_reads_the_same(
    tmp_path: Path, context: SyncContext, content: object
) -> None:
    sync = read(tmp_path, context, content)
    assert sync.problems == ()
    assert links(sync) == BOTH
    assert len(sync.facts.credentials) == 2


def test_a_folder_of_one_file_per_user_reads_the_same(
    tmp_path: Path, context: SyncContext
) -> None:
    for user, key in (("etl", ETL), ("plain", PLAIN)):
        (tmp_path / f"{user}.json").write_text(json.dumps(answer(entry(user, key))))
    (tmp_path / "notes.txt").write_text("not read")
    sync = fetch.sync(str(tmp_path), context)
    assert links(sync) == BOTH
    assert [probe.found for probe in sync.probes] == [True, True]
    assert [probe.found for probe in fetch.list_locations_to_read(str(tmp_path))] == [
        True,
        True,
    ]


def test_a_broken_file_in_a_folder_takes_nothing_from_the_others(
    tmp_path: Path, context: SyncContext
) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"Records": []}')
    (tmp_path / "c.json").write_text(json.dumps(answer(entry("etl", ETL))))
    sync = fetch.sync(str(tmp_path), context)
    assert [Path(problem.place).name for problem in sync.problems] == [
        "a.json",
        "b.json",
    ]
    assert len(sync.facts.credentials) == 1


def test_last_use_is_taken_from_beside_the_key_or_from_a_map_by_key(
    tmp_path: Path, context: SyncContext
) -> None:
    used = {"LastUsedDate": "2026-11-01T00:00:00+00:00", "ServiceName": "s3"}
    beside = answer(entry("etl", ETL, AccessKeyLastUsed=used))
    by_key = [
        answer(entry("etl", ETL)),
        {ETL: {"UserName": "etl", "AccessKeyLastUsed": used}},
    ]
    for content in (beside, by_key):
        (found,) = read(tmp_path, context, content).facts.credentials
        assert found.last_used_at == 1_793_491_200_000_000_000


def test_a_key_id_without_an_account_is_kept_and_said_to_be_unjoined(
    tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, answer(entry("elder", OLD)))
    assert [c.account for c in sync.facts.credentials] == [""]
    assert sync.facts.links == ()
    assert "get-caller-identity" in sync.problems[0].what


def test_a_caller_identity_in_the_file_tells_the_account(
    tmp_path: Path, context: SyncContext
) -> None:
    who = {"UserId": "x", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/x"}
    sync = read(tmp_path, context, [who, answer(entry("elder", OLD))])
    assert sync.problems == ()
    assert links(sync) == {(f"cred:aws/{OLD}", f"arn:aws:iam::{ACCOUNT}:user/elder")}


def test_an_unfinished_answer_is_partial(tmp_path: Path, context: SyncContext) -> None:
    sync = read(tmp_path, context, {**answer(entry("etl", ETL)), "IsTruncated": True})
    assert "its remaining entries are missing" in sync.problems[0].what


@pytest.mark.parametrize(
    "bad",
    [5, {}, {"UserName": "x"}, entry("x", "not-a-key"), entry("x", 7)],  # type: ignore[arg-type] - wrong on purpose
)
def test_an_entry_that_cannot_be_read_takes_nothing_from_the_others(
    tmp_path: Path, context: SyncContext, bad: object
) -> None:
    sync = read(tmp_path, context, {"AccessKeyMetadata": [bad, entry("etl", ETL)]})
    assert len(sync.problems) == 1
    assert sync.problems[0].place.endswith("#/AccessKeyMetadata/0")
    assert len(sync.facts.credentials) == 1


@pytest.mark.parametrize(
    "content",
    [
        "user,arn,user_creation_time,password_enabled\nroot,arn:x,y,z\n",
        '{"GeneratedTime": "2026-01-01T00:00:00Z", "Content": "dXNlcg=="}',
    ],
)
def test_a_credential_report_gives_one_problem_since_it_holds_no_key_ids(
    tmp_path: Path, context: SyncContext, content: str
) -> None:
    sync = read(tmp_path, context, content)
    (problem,) = sync.problems
    assert "contains no access-key ids" in problem.what
    assert "list-access-keys" in problem.what
    assert sync.facts.credentials == ()
    assert (sync.collected, sync.not_collected) == ((), ("access-keys",))


def test_other_files_are_told_apart(tmp_path: Path, context: SyncContext) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, context, {"UserDetailList": []})
    assert caught.value.hint == "pass it as aws:FILE"
    with pytest.raises(ParseError):
        read(tmp_path, context, "nothing")


def test_a_secret_beside_the_key_is_not_taken(
    tmp_path: Path, context: SyncContext
) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    sync = read(tmp_path, context, answer(entry("etl", ETL, SecretAccessKey=secret)))
    assert secret not in repr(sync)
    with pytest.raises(UsageError) as caught:
        read(tmp_path, context, {"AccessKey": entry("e", ETL, SecretAccessKey=secret)})
    assert secret not in f"{caught.value} {caught.value.hint}"


def test_no_location_is_a_usage_error(tmp_path: Path, context: SyncContext) -> None:
    for location in ("", str(tmp_path), str(tmp_path / "gone.json")):
        with pytest.raises(UsageError):
            fetch.sync(location, context)
    assert [probe.found for probe in fetch.list_locations_to_read("")] == [False]


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_own_errors(content: bytes) -> None:
    for files in ([("x", content)], [("x", content), ("y", content)]):
        try:
            parse(files, source="aws-keys:x", now=1)
        except AnswerableError:
            assert len(files) == 1
