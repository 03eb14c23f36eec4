"""A live scan: the client talks to an API of our own on this machine."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.cli.main import main
from answerable.connectors.github import api_client, fetch, live_scan
from answerable.connectors.github.endpoints import ENDPOINTS
from answerable.connectors.github.protection_query import PROTECTION_QUERY
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import ReadProblemKind
from tests.connectors.github.fake_api import TOKEN, FakeApi, scan_live, throttle
from tests.connectors.github.saved_answers import (
    make_answers,
    organization_of,
    scan_answers,
    user,
    web_of,
)

MEMBERS = "orgs/acme/members"
RULESETS = "repos/acme/web/rulesets"


def test_a_live_scan_finds_what_saved_answers_hold(
    api: FakeApi, tmp_path: Path
) -> None:
    live = scan_live(api)
    saved = scan_answers(tmp_path, make_answers())
    assert live.source == "github:acme (live)"
    assert live.problems == saved.problems == ()
    assert live.collected == saved.collected
    assert live.not_collected == ()

    assert normalise(organization_of(live)) == normalise(organization_of(saved))


def normalise(value: Any) -> Any:
    """Drop places, and sort lists."""
    value = msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {k: normalise(v) for k, v in value.items() if k != "place"}
    if isinstance(value, list | tuple):
        return sorted((normalise(each) for each in value), key=repr)
    return value


def test_every_declared_endpoint_is_called_and_no_other(api: FakeApi) -> None:
    sync = scan_live(api)
    called = set(api.count_calls()) - {"graphql"}
    for path in called:
        assert any(e.pattern.fullmatch(path + e.saved) for e in ENDPOINTS), path
    places = {each.place.removeprefix("GET ") for each in sync.probes}
    unread = [
        e.answer
        for e in ENDPOINTS
        if not any(e.pattern.fullmatch(each) for each in places)
    ]
    # The first location of CODEOWNERS counts; no group is for selected repositories.
    assert set(unread) <= {"codeowners", "runner-group-repositories"}
    assert {method for method, path, _ in api.calls if path != "graphql"} == {"GET"}


def test_lists_are_read_page_by_page(api: FakeApi) -> None:
    api.page_items = 3
    api.answers["orgs/acme/members.member"] = [[user(f"u{n}") for n in range(10)]]
    members = organization_of(scan_live(api)).members
    assert members is not None
    listed = {each.login for each in members if each.role == "member"}
    assert {f"u{n}" for n in range(10)} <= listed
    assert api.count_calls()[MEMBERS] == 5


def test_a_whole_page_is_a_complete_list(api: FakeApi) -> None:
    api.answers["orgs/acme/members.member"] = [[user(f"u{n}") for n in range(100)]]
    sync = scan_live(api)
    assert sync.problems == ()
    assert "github-members" in sync.collected


@pytest.mark.parametrize("status", [403, 404])
def test_a_refused_answer_is_not_collected(api: FakeApi, status: int) -> None:
    api.always[RULESETS] = (status, b'{"message": "no"}')
    sync = scan_live(api)
    (problem,) = sync.problems
    assert (problem.place, problem.what) == (
        f"GET {RULESETS}",
        f"the API returned status {status}",
    )
    assert "github-rulesets" in sync.not_collected
    assert web_of(sync).rulesets is None
    assert organization_of(sync).rulesets is not None


def add_repositories(api: FakeApi, number: int) -> None:
    """Add repositories with the answers of the first."""
    listed = api.answers["orgs/acme/repos"][0]
    for each in range(number):
        name = f"more{each}"
        listed.append({**listed[0], "name": name, "id": 1000 + each})
        for path in list(api.answers):
            if path.startswith("repos/acme/web/"):
                copied = path.replace("/web/", f"/{name}/")
                api.answers[copied] = api.answers[path]


def test_a_permission_that_a_token_lacks_is_asked_for_once(api: FakeApi) -> None:
    add_repositories(api, 4)
    body = b'{"message": "Resource not accessible by personal access token"}'
    for name in ("web", *(f"more{n}" for n in range(4))):
        api.always[f"repos/acme/{name}/keys"] = (403, body)
    sync = scan_live(api)
    assert [each.what for each in sync.problems] == ["the API returned status 403"]
    assert sum(path.endswith("/keys") for path in api.count_calls()) == 1
    assert {e.deploy_keys for e in organization_of(sync).repositories or ()} == {None}


def test_refusals_of_many_repositories_are_counted(api: FakeApi) -> None:
    add_repositories(api, 4)
    for name in ("web", "more1", "more2"):
        api.always[f"repos/acme/{name}/teams"] = (403, b"{}")
    sync = scan_live(api)
    what = [each.what for each in sync.problems]
    assert what[:2] == [
        "the API returned status 403",
        "the API returned status 403 2 more times",
    ]
    teams = {e.name: e.teams for e in organization_of(sync).repositories or ()}
    assert teams["more1"] is None
    assert teams["more0"] is not None


def test_rate_limits_are_waited_out(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    lines: list[str] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr(api_client, "_PROGRESS_SECONDS", 10_000.0)
    api.once[RULESETS] = [
        throttle(429, after="7"),
        throttle(403, reset_in=600),
        throttle(403),
        throttle(403),
    ]
    sync = scan_live(api, progress=lambda done, total, what: lines.append(what))
    assert sync.problems == ()
    assert waits[0] == 7.0
    assert 595 < waits[1] < 605
    assert waits[2:] == [120.0, 240.0]
    shown = [each for each in lines if each.startswith("waiting")]
    assert shown[0] == "waiting 7 s for GitHub's secondary rate limit"
    assert shown[1].endswith(" s for GitHub's rate limit")


def test_throttling_without_an_end_is_named(api: FakeApi) -> None:
    api.once[RULESETS] = [throttle(403) for _ in range(50)]
    sync = scan_live(api)
    assert [each.what for each in sync.problems] == [
        "GitHub throttled the request for too long"
    ]
    assert "github-rulesets" in sync.not_collected
    assert len(api.once[RULESETS]) == 50 - 1 - api_client.SECONDARY_RETRIES


def test_a_throttled_query_is_waited_out(api: FakeApi) -> None:
    text = (
        b'{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
    )
    api.once["graphql"] = [(200, {}, text)]
    sync = scan_live(api)
    assert sync.problems == ()
    assert web_of(sync).protections


def test_a_query_without_its_repository_is_a_refusal(api: FakeApi) -> None:
    api.always["graphql"] = (200, b'{"data": {"repository": null}, "errors": []}')
    sync = scan_live(api)
    assert [each.kind for each in sync.problems] == [ReadProblemKind.PERMISSION]
    assert web_of(sync).protections is None


def test_a_server_error_is_retried(api: FakeApi) -> None:
    api.once[RULESETS] = [(502, {}, b"")] * 2
    assert scan_live(api).problems == ()
    api.once[RULESETS] = [(500, {}, b"")] * 9
    (problem,) = scan_live(api).problems
    assert (problem.kind, problem.what) == (ReadProblemKind.NETWORK, "HTTP status 500")


def test_an_answer_that_is_cut_off_is_named(api: FakeApi) -> None:
    api.cut.add(RULESETS)
    sync = scan_live(api)
    assert [each.what for each in sync.problems] == ["no response"]
    assert web_of(sync).rulesets is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'[{"id": 4', b'{"a": 1, "a": 2}'])
def test_an_invalid_answer_is_named(api: FakeApi, body: bytes) -> None:
    api.always[RULESETS] = (200, body)
    sync = scan_live(api)
    assert len(sync.problems) == 1
    assert web_of(sync).rulesets is None
    assert "github-rulesets" in sync.not_collected


def test_answers_have_a_bound(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "MAX_ANSWER_BYTES", 1 << 20)
    api.always[RULESETS] = (200, b" " * (2 << 20))
    sync = scan_live(api)
    (problem,) = sync.problems
    assert problem.kind is ReadProblemKind.TOO_LARGE
    assert web_of(sync).rulesets is None
    assert web_of(sync).secrets == ("NPM_TOKEN",)


def test_a_list_has_a_bound(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_scan, "MAX_LIST_BYTES", 500)
    api.page_items = 3
    api.answers["orgs/acme/members.member"] = [[user(f"u{n}") for n in range(40)]]
    sync = scan_live(api)
    assert sync.problems[0].kind is ReadProblemKind.TOO_LARGE
    assert organization_of(sync).members is None


def test_a_page_on_another_host_is_not_followed(api: FakeApi) -> None:
    link = '<https://elsewhere.example/x?page=2>; rel="next"'
    api.headers["orgs/acme/custom-repository-roles"] = {"Link": link}
    sync = scan_live(api)
    assert [each.what for each in sync.problems] == ["the next page is on another host"]


def test_a_redirect_is_not_followed(api: FakeApi) -> None:
    api.once[RULESETS] = [(301, {"Location": "https://elsewhere.example/"}, b"")]
    (problem,) = scan_live(api).problems
    assert problem.what == "the API returned status 301"


def test_entries_hidden_by_single_sign_on_are_missing(api: FakeApi) -> None:
    path = "orgs/acme/custom-repository-roles"
    api.headers[path] = {"X-GitHub-SSO": "partial-results; organizations=7"}
    sync = scan_live(api)
    assert sync.problems[0].kind is ReadProblemKind.PERMISSION
    assert organization_of(sync).repository_roles is None


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("acme,app=1", "an app needs its id and its private key"),
        ("acme,api=http://example.com", "api= is not the URL of an API"),
        ("acme,api=ftp://127.0.0.1", "api= is not the URL of an API"),
        ("acme,api=https://a:b@h", "api= is not the URL of an API"),
        ("./x.json,app=1,key=k", "app= is only for a live scan"),
    ],
)
def test_a_wrong_location_is_refused(api: FakeApi, location: str, error: str) -> None:
    with pytest.raises(UsageError, match=re.escape(error)):
        fetch.sync(location, SyncContext(now=1, fingerprint=lambda _: "f" * 64))


def test_no_credential_is_said(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GH_TOKEN")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(EnvironmentFailure, match="no path acme, and no token"):
        scan_live(api)


def test_a_refused_token_is_said(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", "another")
    with pytest.raises(EnvironmentFailure, match="refused the credential"):
        scan_live(api)


def test_an_unknown_organization_is_said(api: FakeApi) -> None:
    api.always["orgs/acme"] = (404, b"{}")
    with pytest.raises(EnvironmentFailure, match="no such organization"):
        scan_live(api)


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(EnvironmentFailure, match="cannot be read: no response"):
        scan_live(FakeApi({}, url="http://127.0.0.1:9"))


def test_a_path_with_the_name_comes_before_the_organization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_answers(tmp_path / "acme", make_answers())
    monkeypatch.chdir(tmp_path)
    sync = fetch.sync("acme", SyncContext(now=1, fingerprint=lambda _: "f" * 64))
    assert sync.source == "github:acme"
    assert fetch.list_locations_to_read("acme")[0].place.startswith("acme/")
    places = {each.place for each in fetch.list_locations_to_read("other")}
    assert "GET orgs/ORG/members?role=admin" in places
    assert "POST graphql (branchProtectionRules)" in places


def test_the_manifest_of_the_app_has_the_declared_permissions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["where", "--policy", "github-app", "github:acme"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    wanted = manifest["default_permissions"]
    written = {name for name, access in wanted.items() if access == "write"}
    assert written == {"organization_administration"}
    assert {"metadata", "contents", "members", "organization_secrets"} <= set(wanted)
    assert len(wanted) == len({e.permission.split(":")[0] for e in ENDPOINTS}) - 1
    assert main(["where", "--policy", "github-app", "aws:"]) == 2


def test_scan_of_a_forbidden_kind_exits_3(
    api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.always[RULESETS] = (403, b"{}")
    source = f"github:acme,api={api.url}"
    assert main(["--store", str(tmp_path / "s"), "scan", source]) == 3
    shown = capsys.readouterr()
    assert f"GET {RULESETS}" in shown.out + shown.err
    assert TOKEN not in shown.out + shown.err


def test_the_page_has_the_query_of_the_scan(root: Path) -> None:
    page = (root / "docs/github.md").read_text(encoding="utf-8")
    assert " ".join(PROTECTION_QUERY.split()) in " ".join(page.split())
