"""How the API is asked: pages, refusals, and answers that lead nowhere."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from answerable.connectors.aws.declaration import DETAILS, KEY_USED, LIST_KEYS
from answerable.connectors.aws.live_scan import AwsReply, scan_account
from answerable.model.connector import SyncContext
from answerable.model.sighting import ReadProblem, ReadProblemKind, Sync

ACCOUNT = "123456789012"


def refusal(code: str = "AccessDenied") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret text"}}, "Call")


class FakeIam:
    """Answers from prepared pages; `broken` names calls and what they raise."""

    def __init__(self, pages: list[dict[str, object]], keys: Mapping[str, str]) -> None:
        self.pages = pages
        self.keys = keys
        self.broken: dict[str, Exception] = {}
        self.asked: list[str] = []

    def _call(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise self.broken[name]

    def get_account_authorization_details(self, **arguments: object) -> AwsReply:
        marker = str(arguments.get("Marker", "0"))
        self._call(f"details/{marker}")
        at = int(marker)
        more = at + 1 < len(self.pages)
        follow = {"IsTruncated": True, "Marker": str(at + 1)} if more else {}
        return {"IsTruncated": False, **self.pages[at], **follow}

    def list_access_keys(self, **arguments: object) -> AwsReply:
        user = str(arguments["UserName"])
        self._call(f"keys/{user}")
        created = datetime(2024, 2, 3, tzinfo=UTC)
        key = {
            "UserName": user,
            "AccessKeyId": self.keys[user],
            "Status": "Active",
            "CreateDate": created,
        }
        return {"AccessKeyMetadata": [key], "IsTruncated": False}

    def get_access_key_last_used(self, **arguments: object) -> AwsReply:
        self._call("used")
        return {
            "UserName": "x",
            "AccessKeyLastUsed": {
                "LastUsedDate": datetime(2026, 11, 1, tzinfo=UTC),
                "ServiceName": "s3",
                "Region": "eu-west-1",
            },
        }

    def list_account_aliases(self, **arguments: object) -> AwsReply:
        self._call("aliases")
        return {"AccountAliases": [], "IsTruncated": False}


@pytest.fixture
def iam(data: Path) -> FakeIam:
    whole = json.loads((data / "account.json").read_text())
    found = json.loads((data / "keys.json").read_text())["AccessKeyMetadata"]
    pages = [{name: whole[name]} for name in whole if isinstance(whole[name], list)]
    return FakeIam(pages, {key["UserName"]: key["AccessKeyId"] for key in found})


def problems(sync: Sync) -> list[tuple[ReadProblemKind, str]]:
    return [(problem.kind, problem.place) for problem in sync.problems]


def test_every_page_is_asked_for(
    iam: FakeIam, account: Sync, context: SyncContext
) -> None:
    sync = scan_account(iam, ACCOUNT, context)
    assert iam.asked[:4] == ["details/0", "details/1", "details/2", "details/3"]
    assert sync.problems == ()
    assert {i.id for i in sync.facts.identities} == {
        i.id for i in account.facts.identities
    }
    assert len(sync.facts.attachments) == len(account.facts.attachments)


def test_each_users_keys_are_asked_for_with_their_last_use(
    iam: FakeIam, context: SyncContext
) -> None:
    sync = scan_account(iam, ACCOUNT, context)
    assert {c.last_used_at for c in sync.facts.credentials} == {
        1_793_491_200_000_000_000
    }
    assert {link.identity for link in sync.facts.links} == {
        f"arn:aws:iam::{ACCOUNT}:user/team/etl",
        f"arn:aws:iam::{ACCOUNT}:user/plain",
    }
    assert {"access-keys", "last-used"} <= set(sync.collected)


@pytest.mark.parametrize(
    ("call", "action", "lost"),
    [
        ("details/0", DETAILS, {"identity-policies", "boundaries", "access-keys"}),
        ("keys/etl", LIST_KEYS, {"access-keys"}),
        ("used", KEY_USED, set()),
        ("aliases", "iam:ListAccountAliases", set()),
    ],
)
def test_a_refused_call_names_the_permission_and_the_rest_is_collected(
    iam: FakeIam, context: SyncContext, call: str, action: str, lost: set[str]
) -> None:
    iam.broken[call] = refusal()
    sync = scan_account(iam, ACCOUNT, context)
    assert problems(sync) == [(ReadProblemKind.PERMISSION, action)]
    assert action in sync.problems[0].what
    assert lost <= set(sync.not_collected)
    assert [a.id for a in sync.facts.accounts] == [ACCOUNT]
    if call != "details/0":
        assert sync.facts.identities
        assert f"cred:aws/{iam.keys['plain']}" in {c.id for c in sync.facts.credentials}


def test_a_refusal_for_many_keys_is_one_problem_with_a_count(
    iam: FakeIam, context: SyncContext
) -> None:
    iam.broken["used"] = refusal()
    (problem,) = scan_account(iam, ACCOUNT, context).problems
    assert problem.what == "iam:GetAccessKeyLastUsed is not allowed, 2 times"


def test_a_call_that_fails_midway_keeps_the_pages_so_far(
    iam: FakeIam, context: SyncContext
) -> None:
    iam.broken["details/2"] = ConnectionClosedError(endpoint_url="http://x")
    sync = scan_account(iam, ACCOUNT, context)
    assert (ReadProblemKind.NETWORK, DETAILS) in problems(sync)
    assert {i.kind for i in sync.facts.identities} == {"aws-user"}
    assert "identity-policies" in sync.not_collected


def test_throttling_beyond_the_retries_is_a_network_problem(
    iam: FakeIam, context: SyncContext
) -> None:
    iam.broken["keys/etl"] = refusal("Throttling")
    (problem,) = scan_account(iam, ACCOUNT, context).problems
    assert problem.kind is ReadProblemKind.NETWORK
    assert problem.what == "iam:ListAccessKeys failed: Throttling"


@pytest.mark.parametrize("marker", ["1", ""])
def test_a_marker_that_leads_nowhere_ends_the_asking(
    iam: FakeIam, context: SyncContext, marker: str
) -> None:
    def stuck(**_: object) -> AwsReply:
        return {**iam.pages[0], "IsTruncated": True, "Marker": marker}

    iam.get_account_authorization_details = stuck  # type: ignore[method-assign] - one bad server
    sync = scan_account(iam, ACCOUNT, context)
    assert [p for p in sync.problems if p.kind is ReadProblemKind.NETWORK] == [
        ReadProblem(
            ReadProblemKind.NETWORK,
            DETAILS,
            f"{DETAILS} failed: the response is truncated but has no marker of the "
            "next page",
        )
    ]


def test_no_text_of_the_server_is_repeated(iam: FakeIam, context: SyncContext) -> None:
    for call in ("details/3", "keys/etl", "used", "aliases"):
        iam.broken[call] = refusal()
    sync = scan_account(iam, ACCOUNT, context)
    assert sync.problems
    assert "secret text" not in str(sync.problems)


def test_progress_is_told(iam: FakeIam, context: SyncContext) -> None:
    told: list[str] = []
    watched = SyncContext(
        context.now, context.fingerprint, lambda done, total, what: told.append(what)
    )
    scan_account(iam, ACCOUNT, watched)
    assert set(told) == {
        "pages of account details",
        "users whose access keys were read",
    }
