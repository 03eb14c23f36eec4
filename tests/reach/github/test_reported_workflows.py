"""Workflows of a working copy: shown, and no decision rests on them."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.connectors.github.saved_answers import content, make_answers, save

RISKY = """\
on: pull_request_target
permissions: write-all
jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {ref: '${{ github.event.pull_request.head.sha }}'}
      - uses: anthropics/claude-code-action@v1
        with: {anthropic_api_key: '${{ secrets.NPM_TOKEN }}'}
"""
QUIET = "on: push\npermissions: {}\njobs: {j: {runs-on: x, steps: [{run: make}]}}\n"
FILE = ".github/workflows/ci.yml"
SECRET = "github:acme/repo/web/secret/NPM_TOKEN"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A working copy of acme/web with a risky workflow."""
    folder = tmp_path / "web"
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / FILE).write_text(RISKY)
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
    url = "https://github.com/Acme/web.git"
    (folder / ".git/config").write_text(f'[remote "origin"]\n\turl = {url}\n')
    return folder


def save_organization(folder: Path, workflow: str) -> Path:
    """Save the responses about the organization, with the platform's copy of the file."""
    answers = make_answers()
    answers[f"repos/acme/web/contents/{FILE}"] = content(FILE, workflow)
    answers["orgs/acme/repos"][0][0] |= {"private": False, "visibility": "public"}
    return save(folder, answers)


def ask(
    capsys: pytest.CaptureFixture[str], store: Path, *words: str
) -> tuple[str, str]:
    """Ask whether an outsider reads the secret; return the verdict and all text."""
    main(["--store", str(store), *words, "-o", "json"])
    text = capsys.readouterr().out
    return json.loads(text)["items"][0]["verdict"], text


QUESTION = ("can", "github:user/*", "read-secret", SECRET)


def test_the_platforms_copy_decides(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    quiet = save_organization(tmp_path / "quiet", QUIET)
    main(["--store", str(store), "scan", f"github:{quiet}", f"repo:{copy}"])
    capsys.readouterr()
    assert ask(capsys, store, *QUESTION)[0] == "never"


def test_a_working_copy_hides_nothing(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    (copy / FILE).write_text(QUIET)
    risky = save_organization(tmp_path / "risky", RISKY)
    main(["--store", str(store), "scan", f"github:{risky}", f"repo:{copy}"])
    capsys.readouterr()
    assert ask(capsys, store, *QUESTION)[0] == "only-if"


def test_a_working_copy_alone_is_not_known_and_says_so(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    main(["--store", str(store), "scan", f"repo:{copy}"])
    capsys.readouterr()
    verdict, text = ask(capsys, store, *QUESTION)
    assert verdict == "not-known"
    assert "only a working copy contains the workflows, and it is self-reported" in text


def test_an_agent_of_a_workflow_acts_by_its_token(
    tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    risky = save_organization(tmp_path / "risky", RISKY)
    main(["--store", str(store), "scan", f"github:{risky}", f"repo:{copy}"])
    capsys.readouterr()
    agent = "agent:github-actions/Acme/web/ci.yml/review"
    repository = "github:acme/repo/web"
    verdict, _ = ask(capsys, store, "can", agent, "contents:write", repository)
    assert verdict == "always"
    quiet = save_organization(tmp_path / "quiet", QUIET)
    main(["--store", str(store), "scan", f"github:{quiet}", f"repo:{copy}"])
    capsys.readouterr()
    verdict, _ = ask(capsys, store, "can", agent, "contents:write", repository)
    assert verdict != "always"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://github.com/Acme/web.git", ("acme", "web")),
        ("git@github.com:acme/web", ("acme", "web")),
        ("ssh://git@github.com:22/acme/web.git", ("acme", "web")),
        ("https://user:pass@github.com/acme/web", ("acme", "web")),
        ("https://gitlab.com/acme/web", None),
        ("https://github.com.example/acme/web", None),
        ("../web", None),
        ("git@github.com:acme/group/web", None),
    ],
)
def test_a_remote_on_github_is_recognised(
    url: str, found: tuple[str, str] | None
) -> None:
    from answerable.connectors.repo.parse.reported_workflows import parse_github_remote

    assert parse_github_remote(f'[remote "origin"]\n\turl = {url}\n') == found
