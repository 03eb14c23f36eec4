"""One path from an account without access to a bucket, over GitHub, AWS and a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.four_platforms import (
    ANYBODY,
    BUCKET,
    BUILDER,
    CLUSTER,
    DEPLOY,
    DEPLOYER,
    LEDGER,
    LINKS,
    REPORTS,
    RUN,
    write_estate,
)
from tests.estate.seven import Ask

READ = ("s3:GetObject", BUCKET)
AGENT = "agent:claude-code/dana"
OF_AGENT = ("role annotation and trust", "bucket policy")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Store and sources of the complete estate, not scanned yet."""
    root = tmp_path_factory.mktemp("four")
    return root / "store", write_estate(root)


def scan(ask: Ask, store: Path, sources: list[str]) -> Path:
    """Scan sources into a store, once."""
    if not store.exists():
        assert ask(store, "scan", *sources).code == 0
    return store


def can(ask: Ask, store: Path, subject: str, *more: str) -> Any:
    """Return the answer about reading the bucket."""
    return ask(store, "can", subject, *READ, *more).items[0]


def test_an_outsider_reaches_a_bucket_over_four_platforms(
    ask: Ask, whole: tuple[Path, list[str]]
) -> None:
    item = can(ask, scan(ask, *whole), ANYBODY)
    assert item["verdict"] == "only-if"
    assert [hop["to"] for hop in item["path"]] == [
        RUN,
        DEPLOY,
        DEPLOYER,
        REPORTS,
        LEDGER,
    ]
    assert all(hop["determining"] for hop in item["path"])
    (alternative,) = item["conditions"]
    assert [each["key"] for each in alternative["all_of"]] == ["github:trigger"]
    assert item["path"][0]["conditions"] == item["conditions"]


def test_an_agent_whose_shell_holds_a_kubeconfig_reaches_the_same_bucket(
    ask: Ask, whole: tuple[Path, list[str]]
) -> None:
    store = scan(ask, *whole)
    item = can(ask, store, AGENT)
    assert item["verdict"] == "always"
    assert [(hop["via"], hop["to"]) for hop in item["path"]] == [
        ("tool:claude-code/Bash", BUILDER),
        ("create serviceaccounts/token", REPORTS),
        ("sts:AssumeRoleWithWebIdentity", LEDGER),
    ]
    rows = ask(store, "reach", AGENT).items
    found = {(row["action"], row["resource"]) for row in rows}
    assert {READ, ("create", f"k8s:{CLUSTER}/apps/serviceaccounts/*/token")} <= found
    assert all(row["path"][0]["from"] == AGENT for row in rows)  # type: ignore[index]


def test_who_can_lists_callers_of_all_platforms_and_their_agents(
    ask: Ask, whole: tuple[Path, list[str]]
) -> None:
    store = scan(ask, *whole)
    document = json.loads(ask(store, "who-can", *READ).out)
    rows = {row["subject"]: row for row in document["items"]}
    assert {ANYBODY, "github:user/root", DEPLOY, DEPLOYER, REPORTS, BUILDER} <= set(
        rows
    )
    assert rows[BUILDER]["agents"] == [AGENT]


@pytest.mark.parametrize(
    ("subject", "edit"),
    [
        (ANYBODY, ("--without", f"access entry {DEPLOY}")),
        (ANYBODY, ("--without", "RoleBinding apps/pod-makers")),
        (ANYBODY, ("--without-policy", f"{DEPLOY}#trust")),
        (AGENT, ("--without", "RoleBinding apps/token-makers")),
        (AGENT, ("--without-policy", f"{LEDGER}#trust")),
    ],
)
def test_an_edit_on_one_platform_changes_the_access_to_another(
    ask: Ask, whole: tuple[Path, list[str]], subject: str, edit: tuple[str, str]
) -> None:
    store = scan(ask, *whole)
    rows = ask(store, "what-if", subject, *edit).items
    changes = {(e["action"], e["resource"]): (e["change"], e["after"]) for e in rows}
    assert changes[READ] == ("falls-away", "never")


def test_an_edit_for_all_names_the_platforms_whose_changes_it_does_not_list(
    ask: Ask, whole: tuple[Path, list[str]]
) -> None:
    answer = ask(
        scan(ask, *whole),
        *("what-if", "--all", "--without", "RoleBinding apps/token-makers"),
    )
    missing = json.loads(answer.out)["coverage"]["not_collected"]
    assert "cross-platform-steps (kubernetes, aws)" in missing


def test_an_agent_reaches_what_all_of_its_identities_reach(
    tmp_path: Path, ask: Ask
) -> None:
    elsewhere = "arn:aws:iam::999988887777:role/elsewhere"
    more = {
        ".config/gh/hosts.yml": "github.com:\n    user: root\n    oauth_token: x\n",
        ".aws/config": f"[default]\nrole_arn = {elsewhere}\nsource_profile = a\n",
    }
    store = scan(ask, tmp_path / "store", write_estate(tmp_path, more=more))
    rows: Any = ask(store, "reach", AGENT).items
    assert all(row["path"][0]["from"] == AGENT for row in rows if row["path"])
    first = {row["path"][0]["to"] for row in rows if row["path"]}
    assert {BUILDER, "github:user/root", elsewhere} <= first
    found = {(row["action"], row["resource"]): row for row in rows}
    assert READ in found
    assert any(resource == "github:acme/repo/web" for _, resource in found)
    assert ("create", f"k8s:{CLUSTER}/apps/pods") in found
    unknown = [row for row in rows if row["verdict"] == "not-known"]
    assert elsewhere in {row["path"][-1]["to"] for row in unknown if row["path"]}
    callers = {r["subject"]: r for r in ask(store, "who-can", "push", "acme/web").items}
    assert callers["github:user/root"]["agents"] == [AGENT]


@pytest.mark.parametrize("link", LINKS)
def test_the_path_ends_where_a_link_is_cut(tmp_path: Path, ask: Ask, link: str) -> None:
    store = scan(ask, tmp_path / "store", write_estate(tmp_path, {link}))
    assert can(ask, store, ANYBODY)["verdict"] == "never"
    assert can(ask, store, AGENT)["verdict"] == (
        "never" if link in OF_AGENT else "always"
    )


@pytest.mark.parametrize(
    ("kind", "agent", "outsider"),
    [
        ("github", ("always", "scp"), ("not-known", "")),
        ("aws", ("not-known", ""), ("not-known", "")),
        ("k8s", ("not-known", ""), ("never", "cross-platform-steps")),
    ],
)
def test_a_platform_that_was_not_scanned_is_not_known_or_an_assumption(
    tmp_path: Path,
    ask: Ask,
    kind: str,
    agent: tuple[str, str],
    outsider: tuple[str, str],
) -> None:
    sources = [s for s in write_estate(tmp_path) if not s.startswith(f"{kind}:")]
    store = scan(ask, tmp_path / "store", sources)
    for subject, (verdict, assumption) in ((AGENT, agent), (ANYBODY, outsider)):
        item = can(ask, store, subject)
        assert item["verdict"] == verdict
        assert not assumption or assumption in item["assuming"]


def test_a_token_for_the_api_alone_does_not_enter_a_role(
    tmp_path: Path, ask: Ask
) -> None:
    sources = write_estate(tmp_path, holds="reports")
    item = can(ask, scan(ask, tmp_path / "store", sources), AGENT)
    assert item["verdict"] == "only-if"
    (alternative,) = item["conditions"]
    assert [e["key"] for e in alternative["all_of"]] == ["kubernetes:token-audience"]
