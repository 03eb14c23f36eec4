"""Missing, invalid, refused and oversized answers: named, and never an empty list."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.github.endpoints import ENDPOINTS
from answerable.model.errors import UsageError
from answerable.model.sighting import ReadProblemKind
from tests.connectors.github.saved_answers import (
    ANSWERS,
    WORKFLOW,
    make_answers,
    organization_of,
    save,
    scan,
    scan_answers,
    web_of,
)


@pytest.mark.parametrize(
    ("paths", "kind"),
    [
        (["orgs/acme/rulesets"], "rulesets"),
        (["orgs/acme/rulesets/31"], "rulesets"),
        (["repos/acme/web/rulesets"], "rulesets"),
        (["orgs/acme/outside_collaborators"], "members"),
        (["orgs/acme/teams/deploy/members.member"], "teams"),
        (["repos/acme/web/branch-protection-rules"], "branch-protections"),
        (["repos/acme/web/contents/.github/workflows/ci.yml"], "workflows"),
        (["orgs/acme/repos"], "collaborators"),
    ],
)
def test_a_kind_without_one_of_its_answers_is_not_collected(
    tmp_path: Path, paths: list[str], kind: str
) -> None:
    answers = make_answers()
    for path in paths:
        del answers[path]
    sync = scan_answers(tmp_path, answers)
    assert f"github-{kind}" in sync.not_collected
    assert kind not in organization_of(sync).collected


def test_without_lists_the_fields_are_unknown_and_not_empty(tmp_path: Path) -> None:
    kept = {k: v for k, v in ANSWERS.items() if k in ("orgs/acme", "orgs/acme/repos")}
    sync = scan_answers(tmp_path, kept)
    found = organization_of(sync)
    assert (found.members, found.teams, found.rulesets, found.tokens) == (None,) * 4
    web = web_of(sync)
    assert (web.collaborators, web.teams, web.protections, web.rulesets) == (None,) * 4
    assert (web.secrets, web.workflows, web.environments) == (None,) * 3
    assert "github-repositories" in sync.collected


def test_a_team_without_one_of_its_lists_has_unknown_members(tmp_path: Path) -> None:
    answers = make_answers()
    del answers["orgs/acme/teams/platform/members.member"]
    found = organization_of(scan_answers(tmp_path, answers)).teams or ()
    assert {each.slug: each.members for each in found} == {
        "platform": None,
        "deploy": (("ben", "member"),),
    }


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("collaborators", "collaborators"),
        ("teams", "teams"),
        ("branches", "branches"),
        ("branch-protection-rules", "protections"),
        ("rulesets", "rulesets"),
        ("environments", "environments"),
        ("actions/secrets", "secrets"),
        ("keys", "deploy_keys"),
        ("actions/workflows", "workflows"),
        ("actions/runners", "runners"),
    ],
)
def test_a_list_with_an_invalid_entry_is_unknown(
    tmp_path: Path, path: str, field: str
) -> None:
    answers = make_answers()
    answers[f"repos/acme/web/{path}"] = [[{"what": 1}]]
    assert getattr(web_of(scan_answers(tmp_path, answers)), field) is None


def test_a_custom_branch_policy_without_its_branches_is_not_any_branch(
    tmp_path: Path,
) -> None:
    answers = make_answers()
    del answers["repos/acme/web/environments/production/deployment-branch-policies"]
    (environment,) = web_of(scan_answers(tmp_path, answers)).environments or ()
    assert not environment.protection_collected


@pytest.mark.parametrize(
    ("path", "answer", "what"),
    [
        ("orgs/acme/teams", '[[{"slug": "platform"', "not JSON"),
        ("orgs/acme/teams", "", "empty"),
        ("orgs/acme/teams", '[[{"slug": "a", "slug": "b"}]]', "'slug' is repeated"),
        ("orgs/acme/teams", [[{"name": "no slug"}]], "slug"),
        (
            "orgs/acme/teams",
            [{"slug": f"t{n}"} for n in range(30)],
            "pages of the response are missing",
        ),
        ("orgs/acme/teams", "\x00\xff", "JSON"),
        (
            "orgs/acme/actions/secrets",
            [{"total_count": 3, "secrets": [{"name": "A", "visibility": "all"}]}],
            "1 of 3 entries",
        ),
        (
            "repos/acme/web/branch-protection-rules",
            [{"data": {"x": {"nodes": [], "pageInfo": {"hasNextPage": True}}}}],
            "another page follows",
        ),
        (
            "repos/acme/web/branch-protection-rules",
            {"data": {"repository": None}, "errors": [{"message": "no"}]},
            "lacks the list",
        ),
        ("repos/acme/web/teams", [[{"slug": "deploy"}]], "role is missing"),
        ("orgs/acme/teams", [[{"slug": "a"}], {"slug": "b"}], "Expected `object`"),
    ],
)
def test_a_bad_answer_is_a_problem_and_the_rest_is_kept(
    tmp_path: Path, path: str, answer: Any, what: str
) -> None:
    answers = make_answers()
    answers[path] = answer
    sync = scan_answers(tmp_path, answers)
    assert any(what in each.what for each in sync.problems), sync.problems
    assert len(organization_of(sync).members or ()) == 3
    if path == "orgs/acme/teams":
        assert organization_of(sync).teams is None
    word = next(e.word for e in ENDPOINTS if e.pattern.fullmatch(path))
    assert f"github-{word}" in sync.not_collected


def test_a_refused_answer_is_named_with_its_status(tmp_path: Path) -> None:
    answers = make_answers()
    answers["orgs/acme/personal-access-tokens"] = {
        "message": "Resource not accessible",
        "documentation_url": "https://docs.github.com/rest",
        "status": "403",
    }
    sync = scan_answers(tmp_path, answers)
    (problem, *_) = sync.problems
    assert problem.kind is ReadProblemKind.PERMISSION
    assert problem.what == "the API returned status 403"
    assert "github-fine-grained-tokens" in sync.not_collected
    assert organization_of(sync).tokens is None


def test_pages_in_a_row_and_single_pages_are_the_same(tmp_path: Path) -> None:
    teams = ANSWERS["orgs/acme/teams"][0]
    for number, text in enumerate(
        (
            json.dumps(teams),
            json.dumps([[teams[0]], [teams[1]]]),
            "".join(json.dumps([each]) for each in teams),
            "\ufeff" + json.dumps([teams]),
        )
    ):
        answers = {**ANSWERS, "orgs/acme/teams": text}
        sync = scan_answers(tmp_path / str(number), answers)
        assert sync.problems == ()
        assert len(organization_of(sync).teams or ()) == 2


def test_a_file_as_it_is_and_an_answer_about_it_are_the_same(tmp_path: Path) -> None:
    answers = make_answers()
    del answers["repos/acme/web/contents/.github/workflows/ci.yml"]
    folder = save(tmp_path, answers)
    file = folder / "repos/acme/web/contents/.github/workflows/ci.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(WORKFLOW)
    sync = scan(folder)
    assert sync.problems == ()
    (workflow,) = web_of(sync).workflows or ()
    assert workflow.jobs[0].secrets == ("NPM_TOKEN",)


def test_an_answer_is_recognised_by_its_members(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text(
        json.dumps(ANSWERS["orgs/acme/personal-access-tokens"][0])
    )
    (tmp_path / "who.json").write_text(json.dumps([{"login": "ana", "type": "User"}]))
    with pytest.raises(UsageError):
        scan(tmp_path)
    sync = scan(f"{tmp_path},org=acme")
    assert [each.id for each in organization_of(sync).tokens or ()] == [901]
    assert [each.place for each in sync.problems] == [f"{tmp_path}/who.json"]


def test_two_organizations_are_two_sources(tmp_path: Path) -> None:
    answers = make_answers()
    answers["orgs/other/teams"] = [[{"slug": "x"}]]
    sync = scan_answers(tmp_path, answers)
    assert [p.what for p in sync.problems] == [
        "the file describes organization other (expected acme); scan it as a separate source"
    ]
    assert "x" not in [each.slug for each in organization_of(sync).teams or ()]


def test_a_file_above_the_limit_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    folder = save(tmp_path, ANSWERS)
    with (folder / "orgs/acme/teams.json").open("r+b") as file:
        file.truncate(200 << 20)
    sync = scan(folder)
    problem = sync.problems[0]
    assert problem.kind is ReadProblemKind.TOO_LARGE
    assert "github-teams" in sync.not_collected
    assert "github-members" in sync.collected


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("orgs/acme/members.admin", "github-members"),
        ("orgs/acme/personal-access-tokens", "github-fine-grained-tokens"),
        ("orgs/acme/actions/secrets", "github-secrets"),
        ("orgs/acme/actions/oidc/customization/sub", "github-oidc-templates"),
    ],
)
@pytest.mark.parametrize("content", [{"a": 1}, {"message": "Not Found"}])
def test_an_answer_of_another_form_is_no_empty_list(
    tmp_path: Path, path: str, word: str, content: dict[str, Any]
) -> None:
    folder = save(tmp_path, make_answers())
    (folder / f"{path}.json").write_text(json.dumps(content))
    sync = scan(folder)
    assert any(each.place.endswith(f"{path}.json") for each in sync.problems)
    assert word in sync.not_collected


def test_no_value_of_a_secret_is_kept(tmp_path: Path) -> None:
    canary = "ghp_" + "C4n4ryC4n4ryC4n4ryC4n4ryC4n4ryC4n4ry"
    answers = make_answers()
    answers["orgs/acme/actions/secrets"][0]["secrets"][0]["value"] = canary
    answers["repos/acme/web/keys"][0][0]["title"] = canary
    answers["repos/acme/web/keys"][0][0]["key"] = canary
    answers["orgs/acme/personal-access-tokens"][0][0]["token_name"] = canary
    answers["repos/acme/web/actions/secrets"][0]["secrets"][0]["name"] = canary
    answers["repos/acme/web/contents/.github/workflows/ci.yml"] = ANSWERS[
        "repos/acme/web/contents/.github/workflows/ci.yml"
    ] | {"content": "!" + canary}
    sync = scan_answers(tmp_path, answers)
    assert canary not in repr(sync)
    assert sync.problems


def test_locations_are_files_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        scan(tmp_path / "gone")
    with pytest.raises(UsageError):
        scan(tmp_path)
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(UsageError, match="no supported API response"):
        scan(tmp_path)


def test_environment_names_with_slashes_are_escaped_in_the_path(tmp_path: Path) -> None:
    answers = make_answers()
    entry = answers["repos/acme/web/environments"][0]["environments"][0]
    entry["name"] = "eu/prod"
    for ending in ("deployment-branch-policies", "secrets"):
        old = answers.pop(f"repos/acme/web/environments/production/{ending}")
        answers[f"repos/acme/web/environments/eu%2Fprod/{ending}"] = old
    sync = scan_answers(tmp_path, answers)
    assert sync.problems == ()
    assert [e.name for e in web_of(sync).environments or ()] == ["eu/prod"]
