"""Ten questions a security engineer asks of one small account, and their answers."""

import json
from pathlib import Path

import pytest

from tests.estate.seven import ACCOUNT, KEY, Ask, Files, arn

RUNNER = arn("role", "agent-runner")
ADMIN = arn("role", "break-glass")
USER = arn("user", "legacy-sync")


@pytest.fixture
def store(tmp_path: Path, files: Files, ask: Ask) -> Path:
    sources = [f"aws:{files.account}", f"aws-keys:{files.keys}", f"home:{files.home}"]
    assert ask(tmp_path / "store", "scan", *sources).code == 0
    return tmp_path / "store"


def test_1_an_agents_role_reaches_personal_data_through_a_second_role(
    store: Path, ask: Ask
) -> None:
    agent = next(a for a in ask(store, "agents").items if a["kind"] == "agentcore")
    answer = ask(
        store, "can", str(agent["id"]), "s3:GetObject", "arn:aws:s3:::personal-data/a"
    )
    (item,) = answer.items
    assert item["verdict"] == "always"
    steps = json.dumps(item["path"])
    assert RUNNER in steps
    assert arn("role", "customer-reader") in steps


def test_2_that_agents_owner_is_the_person_in_its_owner_tag(
    store: Path, ask: Ask
) -> None:
    agent = next(a for a in ask(store, "agents").items if a["kind"] == "agentcore")
    (item,) = ask(store, "who-owns", str(agent["id"])).items
    assert item["person"] == "person:dana@corp.example"
    assert item["state"] == "inferred"


def test_3_a_role_with_everything_under_a_boundary_reaches_only_its_bucket(
    store: Path, ask: Ask
) -> None:
    role = arn("role", "scratch-admin")
    (inside,) = ask(store, "can", role, "s3:PutObject", "arn:aws:s3:::scratch/x").items
    (outside,) = ask(
        store, "can", role, "s3:GetObject", "arn:aws:s3:::personal-data/a"
    ).items
    assert (inside["verdict"], inside["admin"]) == ("always", False)
    assert outside["verdict"] == "never"
    rows = ask(store, "reach", role).items
    assert rows
    assert all("arn:aws:s3:::scratch" in str(row["resource"]) for row in rows)


def test_4_a_role_with_allow_all_and_deny_all_reaches_nothing(
    store: Path, ask: Ask
) -> None:
    role = arn("role", "denied-admin")
    assert ask(store, "reach", role).items == []
    (item,) = ask(store, "can", role, "s3:GetObject", "arn:aws:s3:::scratch/x").items
    assert (item["verdict"], item["admin"]) == ("never", False)


def test_5_a_pipeline_reaches_an_admin_role_by_passing_it_to_a_function(
    store: Path, ask: Ask
) -> None:
    answer = ask(
        store, "can", arn("role", "ci-release"), "iam:CreateUser", arn("user", "x")
    )
    (item,) = answer.items
    assert item["verdict"] == "always"
    assert item["admin"] is True
    assert ADMIN in json.dumps(item["path"])


def test_6_its_trust_condition_is_shown_with_who_can_satisfy_it(
    store: Path, ask: Ask
) -> None:
    text = ask(store, "who-can", "iam:CreateUser", arn("user", "x")).out
    assert "repo:org/*" in text
    assert '"asserted_by": "depends"' in text or '"asserted_by":"depends"' in text


def test_7_a_role_whose_inline_policy_allows_everything_is_admin(
    store: Path, ask: Ask
) -> None:
    (item,) = ask(
        store, "can", ADMIN, "s3:GetObject", "arn:aws:s3:::personal-data/a"
    ).items
    assert (item["verdict"], item["admin"]) == ("always", True)


def test_8_a_user_with_a_static_key_and_no_owner_reaches_the_bucket(
    store: Path, ask: Ask
) -> None:
    (item,) = ask(
        store, "can", USER, "s3:GetObject", "arn:aws:s3:::personal-data/a"
    ).items
    assert item["verdict"] == "always"
    (owner,) = ask(store, "who-owns", USER).items
    assert owner["state"] == "none"
    (key,) = (
        c for c in ask(store, "credentials").items if c["id"] == f"cred:aws/{KEY}"
    )
    assert key["lifetime"] == "static"


def test_9_roles_trusted_by_agent_platforms_are_inferred_agents(
    store: Path, ask: Ask
) -> None:
    found = {str(a["kind"]): a for a in ask(store, "agents").items}
    assert found["agentcore"]["known"] == "inferred"
    assert found["bedrock"]["known"] == "inferred"
    assert "knowledge base" in str(found["bedrock"]["note"])


def test_10_a_key_in_a_config_file_joins_to_its_user_only_through_the_key_list(
    store: Path, tmp_path: Path, files: Files, ask: Ask
) -> None:
    (cursor,) = (a for a in ask(store, "agents").items if a["kind"] == "cursor")
    assert cursor["identities"] == [USER]
    answer = ask(
        store, "can", str(cursor["id"]), "s3:GetObject", "arn:aws:s3:::personal-data/a"
    )
    assert answer.items[0]["verdict"] == "always"

    bare = tmp_path / "without-keys"
    ask(bare, "scan", f"aws:{files.account}", f"home:{files.home}")
    (key,) = (c for c in ask(bare, "credentials").items if c["id"] == f"cred:aws/{KEY}")
    assert key["identity"] is None
    assert key["how"] == f"account {ACCOUNT}, principal not collected"
