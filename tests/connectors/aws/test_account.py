"""What an account's authorization details say."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from answerable.connectors.aws import fetch
from answerable.model.connector import SyncContext
from answerable.model.policy import PolicyLayer
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import ReadProblemKind, Sync

ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}:"
ETL = f"{IAM}user/team/etl"
Read = Callable[[bytes], Sync]


def attached(sync: Sync, target: str) -> set[tuple[str, PolicyLayer, str]]:
    return {
        (a.policy, a.layer, a.via) for a in sync.facts.attachments if a.target == target
    }


@pytest.fixture
def pages(data: Path) -> list[dict[str, object]]:
    """The account in three pages, as a paged answer gives it."""
    whole = json.loads((data / "account.json").read_text())
    empty = {name: [] for name in whole if isinstance(whole[name], list)}
    first = {**empty, "UserDetailList": whole["UserDetailList"]}
    second = {**empty, "RoleDetailList": whole["RoleDetailList"]}
    third = {
        **empty,
        "GroupDetailList": whole["GroupDetailList"],
        "Policies": whole["Policies"],
    }
    more = {"IsTruncated": True, "Marker": "m"}
    return [{**first, **more}, {**second, **more}, {**third, "IsTruncated": False}]


def test_nothing_in_a_whole_account_is_a_problem(account: Sync) -> None:
    assert account.problems == ()


def test_users_and_roles_are_identities_in_their_own_spelling(account: Sync) -> None:
    kinds = {identity.id: identity.kind for identity in account.facts.identities}
    assert kinds[ETL] == "aws-user"
    assert kinds[f"{IAM}role/support"] == "aws-role"
    linked = "role/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport"
    assert kinds[IAM + linked] == "aws-service-role"


def test_an_identity_keeps_its_names_times_and_tags(account: Sync) -> None:
    by_name = {identity.name: identity for identity in account.facts.identities}
    etl = by_name["etl"]
    assert (etl.account, etl.unique_id) == (ACCOUNT, "AIDAEXAMPLEETL000001")
    assert etl.tags == (("Owner", "ana@corp.example"),)
    assert etl.created_at == 1_706_933_106_000_000_000
    assert by_name["support"].last_used_at == 1_790_841_600_000_000_000
    assert by_name["booker"].last_used_at == 0


def test_the_root_is_there_because_a_trust_policy_refers_to_it(
    account: Sync, read: Read, data: Path
) -> None:
    roots = [i for i in account.facts.identities if i.kind == "aws-root"]
    assert [root.id for root in roots] == [f"{IAM}root"]
    text = (data / "account.json").read_text().replace(":root", ":role/other")
    assert not [i for i in read(text.encode()).facts.identities if i.kind == "aws-root"]


def test_a_user_has_inline_attached_group_and_boundary_policies(account: Sync) -> None:
    group = f"{IAM}group/readers"
    assert attached(account, ETL) == {
        (f"{ETL}#inline/inline", PolicyLayer.IDENTITY, ""),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", PolicyLayer.IDENTITY, ""),
        (f"{group}#inline/look", PolicyLayer.IDENTITY, group),
        (f"{IAM}policy/edge", PolicyLayer.IDENTITY, group),
        (f"{IAM}policy/edge", PolicyLayer.BOUNDARY, ""),
    }


def test_a_group_is_there_without_policies_or_members(read: Read, data: Path) -> None:
    whole = json.loads((data / "account.json").read_text())
    alone = {
        "Arn": f"{IAM}group/alone",
        "GroupName": "alone",
        "AttachedManagedPolicies": [
            {"PolicyName": "edge", "PolicyArn": f"{IAM}policy/edge"}
        ],
    }
    bare = {"Arn": f"{IAM}group/bare", "GroupName": "bare"}
    whole["GroupDetailList"] += [alone, bare]
    etl = next(u for u in whole["UserDetailList"] if u["Arn"] == ETL)
    etl["GroupList"].append("bare")
    sync = read(json.dumps(whole).encode())
    members = {group.id: group.members for group in sync.facts.groups}
    assert members[f"{IAM}group/bare"] == (ETL,)
    assert members[f"{IAM}group/alone"] == ()
    edge = f"{IAM}policy/edge"
    assert attached(sync, f"{IAM}group/alone") == {(edge, PolicyLayer.IDENTITY, "")}


def test_an_attached_policy_without_a_document_is_attached_and_not_collected(
    account: Sync,
) -> None:
    held = {policy.id for policy in account.facts.policies}
    assert "arn:aws:iam::aws:policy/ReadOnlyAccess" not in held
    assert f"{IAM}policy/edge" in held


def test_only_the_default_version_of_a_policy_counts(account: Sync) -> None:
    (edge,) = (p for p in account.facts.policies if p.name == "edge")
    assert edge.statements[0].actions == ("s3:*", "dynamodb:*")


def test_a_role_is_guarded_by_its_trust_policy(account: Sync) -> None:
    role = f"{IAM}role/ops"
    assert (f"{role}#trust", PolicyLayer.TRUST, "") in attached(account, role)
    (trust,) = (p for p in account.facts.policies if p.id == f"{role}#trust")
    assert trust.statements[0].principals == (("AWS", f"{IAM}root"),)
    assert trust.statements[0].conditions[0].key == "aws:MultiFactorAuthPresent"


def test_resources_named_in_full_are_known(account: Sync) -> None:
    kinds = {resource.id: resource.kind for resource in account.facts.resources}
    assert kinds == {
        "arn:aws:s3:::lake": "s3:bucket",
        f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders": "dynamodb:table",
        f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:billing-AbCdEf": (
            "secretsmanager:secret"
        ),
    }


def test_an_instance_profile_hands_out_its_role(read: Read, data: Path) -> None:
    whole = json.loads((data / "account.json").read_text())
    role = whole["RoleDetailList"][0]
    profile = f"{IAM}instance-profile/web"
    role["InstanceProfileList"] = [{"Arn": profile, "Roles": [{"Arn": role["Arn"]}]}]
    facts = read(json.dumps(whole).encode()).facts
    (found,) = (r for r in facts.resources if r.id == profile)
    assert (found.kind, found.runs_as) == ("iam:instance-profile", role["Arn"])


def test_the_account_stands_beside_its_identities(account: Sync) -> None:
    assert [a.id for a in account.facts.accounts] == [ACCOUNT]


def test_every_fact_is_the_platforms_word_and_says_where_it_stood(
    account: Sync, data: Path
) -> None:
    for group in (
        account.facts.identities,
        account.facts.policies,
        account.facts.attachments,
        account.facts.evidence,
    ):
        for fact in group:
            assert fact.seen.written_by is WrittenBy.PLATFORM
            assert fact.seen.place.startswith(f"{data / 'account.json'}#/")


def test_what_was_and_was_not_collected_is_said(account: Sync) -> None:
    assert {"identity-policies", "boundaries", "role-trust"} <= set(account.collected)
    assert {"access-keys", "scp", "rcp", "resource-policies"} <= set(
        account.not_collected
    )
    assert not set(account.collected) & set(account.not_collected)


@pytest.mark.parametrize("form", ["array", "lines", "concatenated", "pretty"])
def test_pages_in_any_form_read_as_one_account(
    account: Sync, read: Read, pages: list[dict[str, object]], form: str
) -> None:
    texts = [json.dumps(page) for page in pages]
    content = {
        "array": json.dumps(pages),
        "lines": "\n".join(texts),
        "concatenated": "".join(texts),
        "pretty": "\n".join(json.dumps(page, indent=4) for page in pages),
    }[form]
    sync = read(content.encode())
    assert sync.problems == ()
    assert unseen(sync) == unseen(account)


def unseen(sync: Sync) -> set[object]:
    """Facts without their provenance, in no order."""
    found: set[object] = set()
    for name in sync.facts.__slots__:
        for fact in getattr(sync.facts, name):
            kept = {f: getattr(fact, f) for f in fact.__slots__ if f != "seen"}
            found.add((name, repr(kept)))
    return found


def test_utf_16_as_powershell_writes_it_reads_the_same(
    account: Sync, read: Read, data: Path
) -> None:
    text = (data / "account.json").read_text()
    assert unseen(read(text.encode("utf-16"))) == unseen(account)


def test_percent_encoded_documents_read_the_same(
    account: Sync, read: Read, data: Path
) -> None:
    def encoded(node: object) -> object:
        if isinstance(node, list):
            return [encoded(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: quote(json.dumps(value))
            if key in ("Document", "PolicyDocument", "AssumeRolePolicyDocument")
            else encoded(value)
            for key, value in node.items()
        }

    whole = json.loads((data / "account.json").read_text())
    assert unseen(read(json.dumps(encoded(whole)).encode())) == unseen(account)


def test_an_unfinished_file_is_partial(
    read: Read, pages: list[dict[str, object]]
) -> None:
    sync = read(json.dumps(pages[:2]).encode())
    whats = [problem.what for problem in sync.problems]
    assert any("more pages follow" in what for what in whats)
    assert any("'readers'" in what for what in whats)


def test_an_answer_without_one_of_its_lists_is_partial(read: Read) -> None:
    sync = read(b'{"UserDetailList": []}')
    assert [p.what.split(" is missing")[0] for p in sync.problems] == [
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
    ]


def test_a_record_that_cannot_be_read_takes_nothing_from_the_others(
    read: Read, data: Path
) -> None:
    whole = json.loads((data / "account.json").read_text())
    whole["UserDetailList"] += [
        {"Arn": 5, "UserName": "x"},
        7,
        {"Arn": "x", "UserName": "y"},
    ]
    sync = read(json.dumps(whole).encode())
    places = [problem.place.rsplit("#")[1] for problem in sync.problems]
    assert places == [f"/UserDetailList/{n}" for n in (2, 3, 4)]
    assert {p.kind for p in sync.problems} == {ReadProblemKind.INVALID}
    assert ETL in {identity.id for identity in sync.facts.identities}


def test_a_policy_that_cannot_be_read_stays_attached_and_unread(
    read: Read, data: Path
) -> None:
    whole = json.loads((data / "account.json").read_text())
    whole["RoleDetailList"][0]["AssumeRolePolicyDocument"] = "not a policy"
    sync = read(json.dumps(whole).encode())
    role = f"{IAM}role/support"
    (trust,) = (p for p in sync.facts.policies if p.id == f"{role}#trust")
    assert trust.statements == ()
    assert trust.unread[0].sid == "*"
    assert (trust.id, PolicyLayer.TRUST, "") in attached(sync, role)
    assert len(sync.problems) == 1


def test_a_key_that_stands_twice_in_a_policy_of_a_file_is_seen(
    read: Read, data: Path
) -> None:
    text = (data / "account.json").read_text()
    assert text.count('"Effect": "Allow"') > 2
    twice = text.replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"', 1)
    assert "repeated" in read(twice.encode()).problems[0].what


def test_a_managed_policy_without_a_document_is_a_problem(
    read: Read, data: Path
) -> None:
    whole = json.loads((data / "account.json").read_text())
    whole["Policies"][0]["PolicyVersionList"] = []
    sync = read(json.dumps(whole).encode())
    assert "no document" in sync.problems[0].what
    held = {policy.id for policy in sync.facts.policies}
    assert f"{IAM}policy/edge" not in held
    assert (f"{IAM}policy/edge", PolicyLayer.BOUNDARY, "") in attached(sync, ETL)


def test_where_names_the_file_without_opening_it(data: Path) -> None:
    (there,) = fetch.list_locations_to_read(str(data / "account.json"))
    (gone,) = fetch.list_locations_to_read(str(data / "gone.json"))
    assert (there.found, gone.found) == (True, False)
    assert {probe.found for probe in fetch.list_locations_to_read("")} == {None}


def test_the_same_file_gives_the_same_facts(data: Path, context: SyncContext) -> None:
    location = str(data / "account.json")
    assert fetch.sync(location, context) == fetch.sync(location, context)


def test_details_cover_the_account_that_they_are_of(account: Sync) -> None:
    accounts = {identity.account for identity in account.facts.identities}
    assert len(accounts) == 1
    assert {(h.word, h.account) for h in account.held} == {
        (word, account_id)
        for word in ("identity-policies", "boundaries", "role-trust")
        for account_id in accounts
    }
