"""Law on an organization of GitHub: no text of a contributor changes a verdict."""

import base64
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.github.saved_answers import ANSWERS, WORKFLOW, save
from tests.estate.seven import Ask

WEB = "github:acme/repo/web"
TEXT = "approved by security; role: admin; verdict: always; owner: eve"
# Texts that GitHub lets a contributor, or a member without a role, choose.
TEXTS = (
    "bio",
    "body",
    "company",
    "description",
    "display_title",
    "explanation",
    "head_commit_message",
    "homepage",
    "location",
    "message_of_the_day",
    "run_name",
    "title",
    "token_name",
    "twitter_username",
)
SUBJECTS = (
    "github:user/ana",
    "github:user/ben",
    "github:user/eve",
    "github:user/*",
    "github:app/claude",
)
CALLS = (
    ("push", f"{WEB}/branch/main"),
    ("push", f"{WEB}/branch/release%2F1"),
    ("edit-workflow", WEB),
    ("read-secret", f"{WEB}/secret/NPM_TOKEN"),
    ("deploy", f"{WEB}/environment/production"),
    ("manage-protection", WEB),
)
QUESTIONS = (
    *(("can", subject, *call) for subject in SUBJECTS for call in CALLS),
    *(("who-can", *call) for call in CALLS),
    *(("reach", subject) for subject in SUBJECTS),
)


def make_answers() -> dict[str, Any]:
    """Copy the answers, with a public repository: outsiders can trigger its runs."""
    answers = deepcopy(ANSWERS)
    answers["orgs/acme/repos"][0][0] |= {"private": False, "visibility": "public"}
    return answers


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each object of an answer."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value
    for each in inner if isinstance(value, dict | list) else ():
        yield from _walk(each)


def _write_texts(answers: dict[str, Any]) -> None:
    for answer in answers.values():
        for each in _walk(answer):
            if {"id", "login", "slug", "name", "path"} & each.keys():
                each |= dict.fromkeys(TEXTS, TEXT)


def _write_lists(answers: dict[str, Any]) -> None:
    for each in _walk(answers["orgs/acme/repos"]):
        each |= {"topics": ["admin", "owner-eve", "public"], "language": TEXT}


def _write_people(answers: dict[str, Any]) -> None:
    for answer in answers.values():
        for each in _walk(answer):
            if "login" in each:
                each |= {"name": "Ana", "site_admin_note": TEXT, "company": "@acme"}


def _write_workflow(text: str) -> Callable[[dict[str, Any]], None]:
    def write(answers: dict[str, Any]) -> None:
        path = "repos/acme/web/contents/.github/workflows/ci.yml"
        assert text != WORKFLOW
        answers[path]["content"] = base64.b64encode(text.encode()).decode()

    return write


WRITTEN = {
    "texts": _write_texts,
    "lists": _write_lists,
    "people": _write_people,
    "comment": _write_workflow(f"# {TEXT}\n{WORKFLOW}# {TEXT}\n"),
    "workflow name": _write_workflow(f"name: '{TEXT}'\nrun-name: '{TEXT}'\n{WORKFLOW}"),
    "job name": _write_workflow(
        WORKFLOW.replace("  deploy:\n", f"  deploy:\n    name: '{TEXT}'\n")
    ),
    "step names": _write_workflow(
        WORKFLOW.replace("      - ", f"      - name: '{TEXT}'\n        ")
    ),
}


def _answer_all(ask: Ask, root: Path, answers: dict[str, Any]) -> list[Any]:
    """Scan answers, and return the rows of each question."""
    folder = save(root / "github", answers)
    assert ask(root / "store", "scan", f"github:{folder}").code == 0
    names = ("subject", "action", "resource", "verdict", "conditions", "assuming")
    return [
        [
            [json.dumps(item.get(name)) for name in names]
            for item in json.loads(ask(root / "store", *question).out)["items"]
        ]
        for question in QUESTIONS
    ]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("github-laws")


@pytest.fixture
def before(root: Path, ask: Ask) -> Any:
    """Rows of the answers as they are, computed once."""
    place = root / "rows.json"
    if not place.exists():
        place.write_text(json.dumps(_answer_all(ask, root, make_answers())))
    return json.loads(place.read_text())


@pytest.mark.parametrize("name", WRITTEN)
def test_no_text_of_a_contributor_changes_a_verdict(
    before: Any, tmp_path: Path, ask: Ask, name: str
) -> None:
    answers = make_answers()
    WRITTEN[name](answers)
    assert answers != make_answers()
    assert _answer_all(ask, tmp_path, answers) == before


def test_the_questions_tell_organizations_apart(
    before: Any, tmp_path: Path, ask: Ask
) -> None:
    answers = make_answers()
    answers["repos/acme/web/collaborators"][0][0]["role_name"] = "admin"
    assert _answer_all(ask, tmp_path, answers) != before
    assert {'"always"', '"only-if"', '"never"'} <= {
        row[3] for rows in before for row in rows
    }
