"""Ambient credentials of a home, the roles they obtain, and whose home it is."""

import json
from pathlib import Path

import pytest

from answerable.connectors.home.fetch import sync
from answerable.connectors.home.parse.ambient_files import AMBIENT_FILES
from answerable.model.connector import SyncContext
from answerable.model.credential import CredentialClass
from answerable.model.person import OwnerEvidenceKind
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync


@pytest.mark.parametrize(
    ("kind", "name", "file", "lifetime"),
    [
        (
            "aws-access-key",
            "default",
            ".aws/credentials#/default/aws_access_key_id",
            "static",
        ),
        ("aws-profile", "deployer", ".aws/config#/deployer", "short-lived"),
        ("aws-profile", "sso-admin", ".aws/config#/sso-admin", "short-lived"),
        ("kubeconfig", "prod", ".kube/config#/users/1/user/exec", "short-lived"),
        ("kubeconfig", "staging", ".kube/config#/users/0/user/token", "static"),
        (
            "gcloud-adc",
            "etl@corp-data.iam.gserviceaccount.com",
            ".config/gcloud/application_default_credentials.json#/private_key",
            "static",
        ),
        (
            "azure-login",
            "ana@corp.example",
            ".azure/azureProfile.json#/subscriptions/0/user/name",
            "short-lived",
        ),
        (
            "client-secret",
            "spn-builder",
            ".azure/service_principal_entries.json#/0/client_secret",
            "static",
        ),
        (
            "github-token",
            "ana-dev@github.com",
            ".config/gh/hosts.yml#/github.com/oauth_token",
            "static",
        ),
        (
            "github-token",
            "ana@ghe.corp.example",
            ".config/gh/hosts.yml#/ghe.corp.example",
            "static",
        ),
        (
            "docker-auth",
            "registry.corp.example",
            ".docker/config.json#/auths/registry.corp.example",
            "static",
        ),
        ("npm-token", "registry.corp.example", ".npmrc#/2", "static"),
        ("npm-token", "npm.pkg.example", ".npmrc#/3", "unknown"),
        ("netrc", "api.corp.example", ".netrc#/api.corp.example", "static"),
        ("github-token", "ana@github.com", ".git-credentials#/1", "static"),
        ("private-key", "id_ed25519", ".ssh/id_ed25519", "static"),
        ("ssh-agent", "~/.1password/agent.sock", ".ssh/config#/2", "ambient"),
    ],
)
def test_an_ambient_credential_has_kind_name_place_and_lifetime(
    synced: Sync, ana: Path, kind: str, name: str, file: str, lifetime: str
) -> None:
    found = [
        item
        for item in synced.facts.credentials
        if item.place == f"{ana}/{file}" and item.cls is CredentialClass.AMBIENT
    ]
    assert [(item.kind, item.name, item.lifetime.value) for item in found] == [
        (kind, name, lifetime)
    ]
    assert found[0].scope == f"home:{ana}"


def test_every_ambient_file_of_the_table_is_in_the_home(ana: Path) -> None:
    missing = [entry.path for entry in AMBIENT_FILES if not list(ana.glob(entry.path))]
    assert missing == [
        ".aws/sso/cache/*.json",
        ".config/gcloud/active_config",
        ".config/gcloud/configurations/config_*",
        ".config/git/credentials",
        ".pgpass",
        ".pypirc",
        ".terraform.d/credentials.tfrc.json",
        ".terraformrc",
        ".vault-token",
    ]


def test_a_static_key_of_a_profile_is_the_key_and_its_account(synced: Sync) -> None:
    key = "cred:aws/AKIA6EQNFXABYWZ6AAVW"
    found = [item for item in synced.facts.credentials if item.id == key]
    assert [item.account for item in found] == ["971763988483"]


def test_a_profile_is_linked_to_the_role_it_obtains(synced: Sync) -> None:
    links = {link.how: link for link in synced.facts.links}
    role = links["profile-role"]
    assert role.identity == "arn:aws:iam::123456789012:role/deployer"
    deploy = next(tool for tool in synced.facts.tools if tool.server == "deploy")
    assert role.credential in deploy.credentials
    service = links["service-account-key"]
    assert service.identity == "etl@corp-data.iam.gserviceaccount.com"


def test_a_profile_named_in_an_entry_brings_the_key_it_holds(
    tmp_path: Path, context: SyncContext
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[dev]\naws_access_key_id = AKIA6EQNFXABYWZ6AAVW\naws_secret_access_key = x\n"
    )
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(
        '{"mcpServers": {"a": {"command": "a", "env": {"AWS_PROFILE": "dev"}}}}'
    )
    tool = sync(str(tmp_path), context).facts.tools[0]
    assert tool.credentials[1:] == ("cred:aws/AKIA6EQNFXABYWZ6AAVW",)


def test_the_same_secret_in_two_places_is_one_credential_seen_twice(
    tmp_path: Path, context: SyncContext
) -> None:
    token = "ghp_abcdefghij0123456789"
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(
        json.dumps(
            {"mcpServers": {"a": {"command": "a", "env": {"GITHUB_TOKEN": token}}}}
        )
    )
    (tmp_path / ".git-credentials").write_text(f"https://ana:{token}@github.com\n")
    credentials = sync(str(tmp_path), context).facts.credentials
    assert len(credentials) == 2
    assert len({item.id for item in credentials}) == 1


def test_the_person_is_the_folder_and_git_only_adds_aliases(
    synced: Sync, ana: Path
) -> None:
    known, said = synced.facts.persons
    assert (known.id, known.aliases) == ("person:ana", ())
    assert known.seen.written_by is WrittenBy.PLATFORM
    assert (said.id, said.name) == ("person:ana", "Ana Example")
    assert said.aliases == ("ana@corp.example", "ana-dev", "ana")
    assert said.seen.written_by is WrittenBy.SELF_REPORTED


def test_a_file_in_the_home_cannot_change_whose_home_it_is(
    tmp_path: Path, context: SyncContext
) -> None:
    home = tmp_path / "ana"
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text('{"mcpServers": {}}')
    plain = sync(str(home), context).facts.evidence
    (home / ".gitconfig").write_text("[user]\nname = Bo\nemail = bo@corp.example\n")
    assert sync(str(home), context).facts.evidence == plain
    assert [item.person for item in plain] == ["person:ana"]


def test_each_agent_of_a_home_has_its_person_as_evidence(
    synced: Sync, ana: Path
) -> None:
    agents = {agent.id for agent in synced.facts.agents}
    evidence = [item for item in synced.facts.evidence if item.subject in agents]
    assert {item.subject for item in evidence} == agents
    assert {item.kind for item in evidence} == {OwnerEvidenceKind.HOME}
    assert {item.person for item in evidence} == {"person:ana"}
    assert all(item.standing for item in evidence)


def test_each_persons_login_of_a_home_has_its_person_as_evidence(synced: Sync) -> None:
    agents = {agent.id for agent in synced.facts.agents}
    found = {
        (item.subject, item.kind, item.person)
        for item in synced.facts.evidence
        if item.subject not in agents
    }
    home, assigned = OwnerEvidenceKind.HOME, OwnerEvidenceKind.ASSIGNMENT
    assert found == {
        ("github:user/ana-dev", home, "person:ana"),
        ("github:ghe.corp.example/user/ana", home, "person:ana"),
        ("entra:user/ana@corp.example", home, "person:ana"),
        ("aws-sso:210987654321/AdministratorAccess", assigned, "person:ana"),
    }


def test_a_broken_ambient_file_is_named_and_the_others_are_read(
    tmp_path: Path, context: SyncContext
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("a: [")
    (tmp_path / ".netrc").write_text("machine a login b password c")
    done = sync(str(tmp_path), context)
    assert [(p.kind.value, p.place) for p in done.problems] == [
        ("invalid", str(tmp_path / ".kube" / "config"))
    ]
    assert [item.kind for item in done.facts.credentials] == ["netrc"]
