"""A login whose credential lies in a home has the home's person as owner candidate."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask

GH = "github.com:\n    user: {user}\n    oauth_token: gho_CANARY{user}0123\n"
SSO = (
    "[default]\nsso_session = corp\nsso_account_id = 123456789012\n"
    "sso_role_name = Admin\n[sso-session corp]\n"
    "sso_start_url = https://corp.awsapps.example/start\n"
)
AZURE = (
    '{"subscriptions": [{"isDefault": true,'
    ' "user": {"name": "kim@corp.example", "type": "user"}}]}'
)


def write(home: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"home:{home}"


def owner(ask: Ask, store: Path, identity: str) -> dict[str, Any]:
    (item,) = ask(store, "who-owns", identity).items
    return item


@pytest.mark.parametrize(
    ("file", "text", "identity"),
    [
        (".config/gh/hosts.yml", GH.format(user="kimdev"), "github:user/kimdev"),
        (
            ".config/gcloud/configurations/config_default",
            "[core]\naccount = kim@corp.example\n",
            "user:kim@corp.example",
        ),
        (".azure/azureProfile.json", AZURE, "entra:user/kim@corp.example"),
    ],
)
def test_a_persons_login_is_inferred_to_be_the_homes_persons(
    tmp_path: Path, ask: Ask, file: str, text: str, identity: str
) -> None:
    ask(tmp_path / "s", "scan", write(tmp_path / "kim", {file: text}))
    item = owner(ask, tmp_path / "s", identity)
    assert (item["state"], item["person"]) == ("inferred", "person:kim")
    (evidence,) = item["candidates"][0]["evidence"]
    assert evidence["kind"] == "config-in-home"
    assert file in json.dumps(evidence)


def test_one_login_in_two_homes_has_no_owner_but_two_candidates(
    tmp_path: Path, ask: Ask
) -> None:
    text = {".config/gh/hosts.yml": GH.format(user="shared")}
    homes = [write(tmp_path / name, text) for name in ("kim", "lee")]
    ask(tmp_path / "s", "scan", *homes)
    item = owner(ask, tmp_path / "s", "github:user/shared")
    assert (item["state"], item["person"]) == ("ambiguous", None)


def test_a_permission_set_has_a_candidate_and_its_profile_an_owner(
    tmp_path: Path, ask: Ask
) -> None:
    store = tmp_path / "s"
    files = {".aws/config": SSO, ".claude/settings.json": "{}"}
    ask(store, "scan", write(tmp_path / "kim", files))
    item = owner(ask, store, "aws-sso:123456789012/Admin")
    assert (item["state"], item["person"]) == ("suggested", "person:kim")
    (credential,) = ask(store, "credentials").items
    assert credential["owner"]["state"] == "inferred"
    assert credential["owner"]["person"] == "person:kim"


def test_a_service_account_and_a_clusters_user_are_no_persons_login(
    tmp_path: Path, ask: Ask
) -> None:
    account = "etl@corp-data.iam.gserviceaccount.com"
    text = f"[core]\naccount = {account}\n"
    file = ".config/gcloud/configurations/config_default"
    ask(tmp_path / "s", "scan", write(tmp_path / "kim", {file: text}))
    assert owner(ask, tmp_path / "s", account)["state"] == "none"
