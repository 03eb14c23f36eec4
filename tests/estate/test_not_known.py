"""An answer about what was not collected says `not-known`, on the command line."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.estate.sample_stores import DATA, ELSEWHERE, ROLE, Stores
from tests.estate.seven import Answer, Ask

READ = ("s3:GetObject", DATA)
REPORTER = "agent:claude-code/ana/reporter"
GONE = f"{ROLE}/tmp-export"  # created, used and deleted between two scans
ASSUMED = ("--assume", "scp,rcp,resource-policies,session-policy,endpoint-policy")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores.below(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def full(stores: Stores) -> Path:
    return stores.of("home", "repo", "aws", "aws-keys", "cloudtrail")


@pytest.fixture(scope="module")
def apart(stores: Stores) -> Path:
    """A home and a repository, and no account."""
    return stores.of("home", "repo", "cloudtrail")


def only(answer: Answer) -> dict[str, object]:
    (item,) = answer.items
    return item


def unknown(item: dict[str, object]) -> list[dict[str, str]]:
    found = item["unknown"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    "subject", [ELSEWHERE, "arn:aws:sts::999988887777:assumed-role/a/b", "999988887777"]
)
def test_an_identity_of_an_account_that_no_scan_saw_is_not_known(
    full: Path, ask: Ask, subject: str
) -> None:
    for command in (("can", subject, *READ), ("reach", subject)):
        answer = ask(full, *command)
        item = only(answer)
        assert (answer.code, item["verdict"]) == (0, "not-known")
        (missing,) = unknown(item)
        assert missing["because"] == "account 999988887777 was not scanned"
        assert missing["source"] == "aws"
    item = only(ask(full, "reach", subject, "--used"))
    assert (item["granted"], item["reachable"]) == ("not-known", "not-known")
    assert (item["used"], item["blocked"]) == (None, None)


@pytest.mark.parametrize("name", ["ci-deploy", "invented"])
def test_without_an_account_no_role_reaches_nothing(
    apart: Path, ask: Ask, name: str
) -> None:
    for command in (("can", f"{ROLE}/{name}", *READ), ("reach", f"{ROLE}/{name}")):
        assert only(ask(apart, *command))["verdict"] == "not-known"
    shown = ask(apart, "can", f"{ROLE}/{name}", *READ, json_out=False)
    assert shown.out.startswith("? not-known\n")
    assert "account 111122223333 was not scanned (aws: would supply it)" in shown.out
    assert "next: answerable scan aws:FILE" in shown.err


def test_a_misspelled_role_of_a_scanned_account_is_an_error(
    full: Path, ask: Ask
) -> None:
    answer = ask(full, "can", f"{ROLE}/ci-deplo", *READ, json_out=False)
    assert answer.code == 2
    assert f"did you mean {ROLE}/ci-deploy?" in answer.err


def test_without_an_account_anybody_s_reach_is_not_known(apart: Path, ask: Ask) -> None:
    for subject in ("*", "lambda.amazonaws.com", REPORTER):
        assert only(ask(apart, "can", subject, *READ))["verdict"] == "not-known"


def test_who_can_lists_those_whose_policies_are_missing(apart: Path, ask: Ask) -> None:
    answer = ask(apart, "who-can", *READ)
    assert {item["verdict"] for item in answer.items} == {"not-known"}
    assert f"{ROLE}/data-reader" in {item["subject"] for item in answer.items}
    shown = ask(apart, "who-can", *READ, json_out=False).out
    assert "nobody" not in shown
    assert "no account was scanned (aws: would supply it)" in shown


def test_who_can_is_no_empty_list_where_nothing_was_scanned(
    stores: Stores, ask: Ask
) -> None:
    item = only(ask(stores.of("repo"), "who-can", "iam:CreateUser", "*"))
    assert item["verdict"] == "not-known"


@pytest.mark.parametrize(
    ("action", "resource", "said"),
    [
        ("s3:GetObject", "arn:aws:s3:::b/k", "no account was scanned (aws:"),
        ("SELECT", "postgres:db/shop/table/public.t", "no server was scanned (pg:"),
    ],
)
def test_who_can_names_the_source_of_the_platform_where_nothing_was_scanned(
    stores: Stores, ask: Ask, action: str, resource: str, said: str
) -> None:
    shown = ask(stores.of("repo"), "who-can", action, resource, json_out=False).out
    assert f"no identity was evaluated: {said} would supply it)" in shown


def test_who_can_says_where_it_looked(full: Path, ask: Ask) -> None:
    answer = ask(full, "who-can", *READ)
    coverage = json.loads(answer.out)["coverage"]
    assert coverage["looked"] == {
        "identities": 9,
        "accounts": ["111122223333", "444455556666"],
        "platforms": ["aws"],
        "source": "aws",
        "not_evaluated": [],
    }
    shown = ask(full, "who-can", *READ, json_out=False).out
    assert "evaluated 9 identities of AWS in 2 accounts: 111122223333" in shown


def test_a_role_known_from_events_alone_is_not_granted_never(
    full: Path, apart: Path, ask: Ask
) -> None:
    for store in (full, apart):
        rows = ask(store, "reach", GONE, "--used").items
        assert {row["used"] for row in rows} == {40}
        assert {row["granted"] for row in rows} == {"not-known"}
        assert {row["reachable"] for row in rows} == {"not-known"}
        shown = ask(store, "reach", GONE, "--used", json_out=False).out
        assert "granted not known, reachable not known, used 2" in shown
        assert only(ask(store, "can", GONE, *READ))["verdict"] == "not-known"
        assert only(ask(store, "reach", GONE))["verdict"] == "not-known"


def test_an_identity_of_another_platform_gets_no_aws_hint(
    tmp_path: Path, ask: Ask
) -> None:
    adc = tmp_path / "home" / ".config" / "gcloud"
    adc.mkdir(parents=True)
    email = "bot@example-project.iam.gserviceaccount.com"
    key = {"type": "service_account", "client_email": email, "private_key": "k"}
    (adc / "application_default_credentials.json").write_text(json.dumps(key))
    store = tmp_path / "store"
    assert ask(store, "scan", f"home:{tmp_path / 'home'}").code == 0
    for command in (("can", email, *READ), ("reach", email)):
        item = only(ask(store, *command))
        assert item["verdict"] == "not-known"
        because = "no scan describes Google Cloud"
        assert unknown(item) == [{"id": email, "because": because, "source": "gcp"}]
        shown = ask(store, *command, json_out=False)
        assert "(gcp: would supply it)" in shown.out
        assert "aws:FILE" not in shown.out + shown.err
        assert "(aws" not in shown.out + shown.err
    looked = json.loads(ask(store, "who-can", *READ).out)["coverage"]["looked"]
    assert looked["not_evaluated"] == [
        {"kind": "gcp-service-account", "count": 1, "source": "gcp"}
    ]


@pytest.mark.parametrize("expect", ["always", "only-if", "never"])
def test_an_expectation_never_holds_for_what_is_not_known(
    apart: Path, ask: Ask, expect: str
) -> None:
    for more in ((), ASSUMED, ("--allow-partial",)):
        answer = ask(apart, "can", REPORTER, *READ, "--expect", expect, *more)
        assert answer.code == 3, more


def test_an_expectation_holds_only_without_an_assumption(full: Path, ask: Ask) -> None:
    question = ("can", f"{ROLE}/data-reader", "s3:DeleteObject", DATA)
    never = (*question, "--expect", "never")
    answer = ask(full, *never)
    assert answer.code == 3
    assert only(answer)["assuming"] == ["resource-policies"]
    assert "--assume resource-policies accepts that" in answer.err
    assert ask(full, *never, "--allow-partial").code == 3
    assert ask(full, *never, "--assume", "scp").code == 3
    assert ask(full, *never, "--assume", "scp,resource-policies").code == 0
    assert (
        ask(full, *never, "--assume", "scp", "--assume", "resource-policies").code == 0
    )
    assert ask(full, *question, "--expect", "always").code == 1
    assert ask(full, *question).code == 0


def test_always_assumes_every_kind_of_policy_that_could_deny(
    full: Path, ask: Ask
) -> None:
    question = ("can", REPORTER, *READ, "--expect", "always")
    assert only(ask(full, *question))["assuming"] == [
        "endpoint-policy",
        "rcp",
        "resource-policies",
        "scp",
        "session-policy",
    ]
    assert ask(full, *question).code == 3
    assert ask(full, *question, *ASSUMED).code == 0
    # A word of coverage stands for the same.
    words = "scp,rcp,resource-policies,session-policies,endpoint-policies"
    assert ask(full, *question, "--assume", words).code == 0


@pytest.mark.parametrize(
    ("name", "near"), [("scps", "scp"), ("resource-policy", "resource-policies")]
)
def test_an_assumption_that_is_none_names_the_nearest(
    full: Path, ask: Ask, name: str, near: str
) -> None:
    question = ("can", REPORTER, *READ, "--expect", "always", "--assume", name)
    answer = ask(full, *question, json_out=False)
    assert answer.code == 2
    assert f"did you mean {near}?" in answer.err


def test_an_assumption_without_an_expectation_is_an_error(full: Path, ask: Ask) -> None:
    assert ask(full, "can", REPORTER, *READ, "--assume", "scp").code == 2


@pytest.mark.parametrize("expect", ["always", "only-if", "never"])
def test_a_statement_that_could_not_be_read_leaves_an_expectation_open(
    stores: Stores, tmp_path: Path, ask: Ask, expect: str
) -> None:
    account = json.loads(stores.estate.account.read_text())
    (role,) = (r for r in account["RoleDetailList"] if r["RoleName"] == "data-reader")
    unread = {"Effect": "Perhaps", "Action": "*", "Resource": "*"}
    odd = {"Version": "2012-10-17", "Statement": [unread]}
    role["RolePolicyList"].append({"PolicyName": "odd", "PolicyDocument": odd})
    (tmp_path / "account.json").write_text(json.dumps(account))
    store = tmp_path / "store"
    main(["--store", str(store), "-q", "scan", f"aws:{tmp_path / 'account.json'}"])
    question = ("can", f"{ROLE}/data-reader", "s3:DeleteObject", DATA)
    answer = ask(store, *question, "--expect", expect, "--allow-partial", *ASSUMED)
    assert only(answer)["verdict"] == "only-if"
    assert answer.code == 3


def test_a_source_that_could_not_be_read_whole_leaves_an_expectation_open(
    stores: Stores, tmp_path: Path, ask: Ask
) -> None:
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text("{")
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}", f"aws:{stores.estate.account}")
    question = ("can", f"{ROLE}/data-reader", "s3:DeleteObject", DATA)
    never = (*question, "--expect", "never", "--assume", "resource-policies")
    for more in ((), ("--allow-partial",)):
        assert ask(store, *never, *more).code == 3


def test_each_identity_on_a_path_is_under_the_policies_of_its_account(
    full: Path, ask: Ask
) -> None:
    # The path ends at a role that is yet to be made: no snapshot holds it.
    item = only(ask(full, "can", "report-bot", "iam:CreateUser", "*"))
    assert item["verdict"] == "always"
    assert item["assuming"] == ["endpoint-policy", "scp"]
