"""Policies that are broken, strange or huge: nothing silently becomes a yes or a no."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.estate.seven import ACCOUNT, Answer, Ask, account, allow, arn, document, role

MIB = 1 << 20
PARTIAL, USAGE = 3, 2
RED = "arn:aws:s3:::red/a"
Scanned = Callable[..., Path]
Verdict = tuple[str, int]


def user(name: str, policy: object) -> dict[str, object]:
    return {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper():X<17}",
        "Arn": arn("user", name),
        "CreateDate": "2026-01-10T09:00:00Z",
        "GroupList": [],
        "UserPolicyList": [{"PolicyName": "inline", "PolicyDocument": policy}],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }


@pytest.fixture
def scanned(tmp_path: Path, ask: Ask) -> Scanned:
    """Scan an account of these users and roles."""

    def scan(
        users: list[dict[str, object]],
        roles: list[dict[str, object]] | None = None,
        code: int = 0,
    ) -> Path:
        details = {**account(), "UserDetailList": users, "RoleDetailList": roles or []}
        file = tmp_path / "account.json"
        file.write_text(json.dumps(details))
        assert ask(tmp_path / "store", "scan", f"aws:{file}").code == code
        return tmp_path / "store"

    return scan


def verdict(answer: Answer) -> Verdict:
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err
    (item,) = answer.items
    return str(item["verdict"]), answer.code


def proof(answer: Answer, field: str) -> str:
    return json.dumps(answer.items[0][field])


@pytest.mark.parametrize(
    "policy",
    [
        "not JSON at all",
        "",
        [],
        {"Version": "2012-10-17"},
        {"Version": "2012-10-17", "Statement": "Allow everything"},
        document(allow("s3:*", "*", effect="allow")),
        document({"Effect": "Allow", "Action": "s3:*"}),
        document({**allow("s3:*", "*"), "Actions": "s3:*"}),
    ],
)
def test_a_policy_that_does_not_parse_leaves_everything_open(
    scanned: Scanned, ask: Ask, policy: object
) -> None:
    store = scanned([user("ana", policy)], code=PARTIAL)
    answer = ask(store, "can", "ana", "s3:GetObject", RED)
    assert verdict(answer) == ("only-if", PARTIAL)
    assert "answerable:unread-statement" in proof(answer, "conditions")
    assert "could not be read" in proof(answer, "determining")
    shown = ask(store, "can", "ana", "s3:GetObject", RED, "-o", "table", json_out=False)
    assert "could not be read" in shown.out


def test_a_deny_that_cannot_be_read_leaves_a_plain_allow_open(
    scanned: Scanned, ask: Ask
) -> None:
    broken = {**allow("s3:*", "*", "Deny"), "Condition": ["aws:SourceIp"]}
    store = scanned([user("ana", document(allow("s3:*", "*"), broken))], code=PARTIAL)
    assert verdict(ask(store, "can", "ana", "s3:GetObject", RED)) == (
        "only-if",
        PARTIAL,
    )
    rows = ask(store, "reach", "ana", "--action", "s3:GetObject").items
    assert {row["verdict"] for row in rows} == {"only-if"}
    (listed,) = ask(store, "who-can", "s3:GetObject", RED).items
    assert listed["verdict"] == "only-if"


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_unknown_operator_stands_as_it_was_written(
    scanned: Scanned, ask: Ask, effect: str
) -> None:
    strange = {
        **allow("s3:*", "*", effect),
        "Condition": {"StringFancy": {"aws:SourceIp": "10.0.0.0/8"}},
    }
    plain = [allow("s3:*", "*")] if effect == "Deny" else []
    store = scanned([user("ana", document(*plain, strange))])
    answer = ask(store, "can", "ana", "s3:GetObject", RED)
    assert verdict(answer) == ("only-if", 0)
    assert '"operator": "StringFancy"' in proof(answer, "conditions")


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_unknown_condition_key_is_open_and_said_to_be_unknown(
    scanned: Scanned, ask: Ask, effect: str
) -> None:
    strange = {
        **allow("s3:*", "*", effect),
        "Condition": {"StringEquals": {"aws:MoonPhase": "full"}},
    }
    plain = [allow("s3:*", "*")] if effect == "Deny" else []
    store = scanned([user("ana", document(*plain, strange))])
    answer = ask(store, "can", "ana", "s3:GetObject", RED)
    assert verdict(answer) == ("only-if", 0)
    assert '"key": "aws:MoonPhase"' in proof(answer, "conditions")
    assert '"asserted_by": "depends"' in proof(answer, "conditions")
    stated = ("--context", "aws:MoonPhase=full")
    sure = "always" if effect == "Allow" else "never"
    assert verdict(ask(store, "can", "ana", "s3:GetObject", RED, *stated))[0] == sure


def test_an_action_the_catalogue_does_not_hold_is_never_sure(
    scanned: Scanned, ask: Ask
) -> None:
    wide = user("ana", document(allow(["s3:*", "s3:FlyToTheMoon"], "*")))
    store = scanned([wide, user("ben", document(allow("sqs:*", "*")))])
    answer = ask(store, "can", "ana", "s3:FlyToTheMoon", RED)
    assert verdict(answer) == ("only-if", 0)
    assert "s3:FlyToTheMoon" in proof(answer, "conditions")
    assert "action-catalogue" in proof(answer, "coverage")
    nobody = ask(store, "can", "ben", "s3:FlyToTheMoon", RED)
    assert verdict(nobody) == ("never", 0)
    assert "action-catalogue" in proof(nobody, "coverage")
    (listed,) = ask(store, "who-can", "s3:FlyToTheMoon", RED).items
    assert listed["verdict"] == "only-if"
    rows = ask(store, "reach", "ana").items
    said = {row["action"]: row["verdict"] for row in rows}
    assert said == {"s3:*": "always", "s3:FlyToTheMoon": "only-if"}


def chain(length: int, back_to: int) -> list[dict[str, object]]:
    """Roles that each may become the next, the last one an earlier one."""
    roles = []
    for number in range(length):
        after = number + 1 if number + 1 < length else back_to
        before = [number - 1] if number else [length - 1]
        if number == back_to:
            before.append(length - 1)
        trusted = [arn("role", f"r{b}") for b in before]
        trust = {"Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        roles.append(
            role(f"r{number}", trust, allow("sts:AssumeRole", arn("role", f"r{after}")))
        )
    policies = roles[-1]["RolePolicyList"]
    assert isinstance(policies, list)
    last = policies[0]["PolicyDocument"]["Statement"]
    last.append(allow("s3:GetObject", RED))
    return roles


def test_a_chain_of_fifty_roles_that_bites_its_tail_is_walked_once(
    scanned: Scanned, ask: Ask
) -> None:
    store = scanned([], chain(50, back_to=7))
    answer = ask(store, "can", "r0", "s3:GetObject", RED)
    assert verdict(answer) == ("always", 0)
    path = answer.items[0]["path"]
    assert isinstance(path, list)
    assert [step["to"] for step in path] == [arn("role", f"r{n}") for n in range(1, 50)]
    assert verdict(ask(store, "can", "r0", "s3:PutObject", RED))[0] == "never"
    assert len(ask(store, "who-can", "s3:GetObject", RED).items) == 50
    shown = ask(store, "can", "r0", "s3:GetObject", RED, json_out=False)
    assert len(shown.out.splitlines()) < 60


def test_two_roles_that_trust_each_other_end(scanned: Scanned, ask: Ask) -> None:
    store = scanned([], chain(2, back_to=0))
    assert verdict(ask(store, "can", "r0", "s3:GetObject", RED)) == ("always", 0)
    assert verdict(ask(store, "can", "r1", "s3:GetObject", RED)) == ("always", 0)
    assert ask(store, "reach", "r0").code == 0


def test_one_bad_statement_in_six_megabytes_opens_what_it_may_change_and_no_more(
    scanned: Scanned, ask: Ask
) -> None:
    filler = [allow("s3:GetObject", f"{RED}/{n}/*") for n in range(100)]
    users = [user(f"u{n}", document(*filler)) for n in range(800)]
    bad = {"Effect": "Deny", "Action": "s3:*", "Resource": 5}
    users.append(user("bad", document(allow("s3:*", "*"), bad)))
    assert len(json.dumps(users)) > 6 * MIB
    store = scanned(users, code=PARTIAL)
    open_ = ask(store, "can", "bad", "s3:GetObject", RED)
    assert verdict(open_) == ("only-if", PARTIAL)
    assert arn("user", "bad") in proof(open_, "determining")
    assert verdict(ask(store, "can", "u3", "s3:GetObject", f"{RED}/3/x"))[0] == "always"
    assert verdict(ask(store, "can", "u3", "s3:PutObject", RED))[0] == "never"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("not JSON", USAGE, "not JSON"),
        ("{}", USAGE, "no Statement"),
        ("[1]", USAGE, "JSON object"),
        ("\x00\xff", USAGE, "policy"),
        ("[" * 200_000, USAGE, "policy"),
    ],
)
@pytest.mark.parametrize("option", ["--session-policy", "--endpoint-policy"])
def test_a_stated_policy_that_is_none_is_an_error_of_one_line_with_a_hint(
    scanned: Scanned,
    ask: Ask,
    tmp_path: Path,
    option: str,
    text: str,
    code: int,
    said: str,
) -> None:
    store = scanned([user("ana", document(allow("s3:*", "*")))])
    file = tmp_path / "policy.json"
    file.write_text(text, encoding="latin-1")
    for words in (
        ("can", "ana", "s3:GetObject", RED),
        ("reach", "ana"),
        ("who-can", "s3:GetObject", RED),
        ("reach", "ana", "--used"),
    ):
        answer = ask(store, *words, option, str(file))
        assert (answer.code, answer.out) == (code, "")
        error, hint = answer.err.splitlines()
        assert error.startswith("error: ")
        assert said in error
        assert hint.startswith("hint: expected {")
    gone = ask(store, "can", "ana", "s3:GetObject", RED, option, str(tmp_path / "no"))
    assert gone.code == USAGE
    assert "no such file" in gone.err


def test_a_statement_of_a_stated_policy_that_cannot_be_read_leaves_it_open(
    scanned: Scanned, ask: Ask, tmp_path: Path
) -> None:
    store = scanned([user("ana", document(allow("s3:*", "*")))])
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document({"Effect": "Allow", "Action": "s3:*"})))
    question = ("can", "ana", "s3:GetObject", RED, "--session-policy", str(file))
    answer = ask(store, *question)
    assert verdict(answer) == ("only-if", PARTIAL)
    assert "neither Resource nor NotResource" in proof(answer, "determining")


def test_a_session_policy_narrows_the_subject_and_no_role_it_becomes(
    scanned: Scanned, ask: Ask, tmp_path: Path
) -> None:
    trust = {"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    reader = role("reader", trust, allow("s3:PutObject", "*"))
    own = document(allow(["s3:GetObject", "s3:DeleteObject", "sts:AssumeRole"], "*"))
    store = scanned([user("ana", own)], [reader])
    file = tmp_path / "session.json"
    file.write_text(json.dumps(document(allow(["s3:GetObject", "sts:*"], "*"))))
    stated = ("--session-policy", str(file))

    def said(action: str, *more: str) -> str:
        return verdict(ask(store, "can", "ana", action, RED, *more))[0]

    assert said("s3:DeleteObject") == "always"
    assert said("s3:DeleteObject", *stated) == "never"
    assert said("s3:GetObject", *stated) == "always"
    assert said("s3:PutObject", *stated) == "always"
    file.write_text(json.dumps(document(allow("s3:GetObject", "*"))))
    assert said("s3:PutObject", *stated) == "never"
    rows = ask(store, "reach", "ana", *stated).items
    assert {row["action"] for row in rows} == {"s3:GetObject"}
    endpoint = tmp_path / "endpoint.json"
    anyone = {**allow("s3:*", "*"), "Principal": "*"}
    endpoint.write_text(json.dumps(document(anyone)))
    assert said("s3:PutObject", "--endpoint-policy", str(endpoint)) == "always"
    other = {**anyone, "Resource": "arn:aws:s3:::blue/*"}
    endpoint.write_text(json.dumps(document(other)))
    assert said("s3:PutObject", "--endpoint-policy", str(endpoint)) == "never"
