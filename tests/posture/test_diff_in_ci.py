"""The steps of the GitHub action, the GitLab template and the pre-commit hook, run."""

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.cli.main import main
from tests.posture.pull_requests import CHECKOUTS, PLANS, write_checkouts

NAMED = ("-c", "user.name=a", "-c", "user.email=a@example.com")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository whose working copy adds a server with a key."""
    return make_repository(tmp_path, "server added with a key")


def make_repository(tmp_path: Path, name: str) -> Path:
    """Make a repository with the base as its commit and the head as working copy."""
    base, head = write_checkouts(tmp_path, CHECKOUTS[name][0])
    for path in base.rglob(".git/*"):
        path.unlink()
    (base / ".git").rmdir()
    for words in (("init", "-q"), ("add", "-A"), (*NAMED, "commit", "-qm", "base")):
        subprocess.run(("git", *words), cwd=base, check=True)
    for path in head.rglob("*"):
        if path.is_file() and ".git" not in path.relative_to(head).parts:
            target = base / path.relative_to(head)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())
    for path in base.rglob("*"):
        there = (head / path.relative_to(base)).exists()
        if path.is_file() and ".git" not in path.parts and not there:
            path.unlink()
    return base


def run_script(
    script: str, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a script of bash with this environment's `answerable`."""
    scripts = str(Path(sys.executable).parent)
    environ = {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", **variables}
    environ["HOME"] = str(folder.parent)
    return subprocess.run(
        ("bash", "-e", "-o", "pipefail", "-c", script),
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def run_action(folder: Path, after: str, fail_on: str) -> tuple[int, str]:
    """Run the step of the action that compares; returns its code and its summary."""
    (step,) = [
        e for e in read_yaml("action.yml")["runs"]["steps"] if e.get("id") == "diff"
    ]
    temp = folder.parent
    done = run_script(
        step["run"],
        folder,
        {
            "BEFORE": "HEAD",
            "AFTER": after,
            "FAIL_ON": fail_on,
            "RUNNER_TEMP": str(temp),
            "GITHUB_STEP_SUMMARY": str(temp / "summary"),
            "GITHUB_OUTPUT": str(temp / "output"),
        },
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert (temp / "output").read_text().startswith("comment=")
    return done.returncode, (temp / "summary").read_text()


@pytest.mark.parametrize(("fail_on", "code"), [("", 0), ("high", 1), ("critical", 0)])
def test_the_action_writes_a_summary_and_fails_from_a_severity_on(
    repository: Path, fail_on: str, code: int
) -> None:
    found, summary = run_action(repository, ".", fail_on)
    assert found == code, summary
    assert "PAY\\_API\\_KEY" in summary


@pytest.mark.parametrize("name", CHECKOUTS)
def test_the_action_shows_exactly_what_each_checkout_adds(
    name: str, tmp_path: Path
) -> None:
    code, summary = run_action(make_repository(tmp_path, name), ".", "low")
    _check_lines(code, summary, len(CHECKOUTS[name][1]))


@pytest.mark.parametrize("name", PLANS)
def test_the_action_shows_exactly_what_each_plan_adds(
    name: str, repository: Path
) -> None:
    plan, expected = PLANS[name]
    (repository / "plan.json").write_text(json.dumps(plan))
    code, summary = run_action(repository, "plan.json", "low")
    _check_lines(code, summary, len(expected))


def _check_lines(code: int, summary: str, expected: int) -> None:
    """Check the number of listed changes, and that one fails the step."""
    rows = [line for line in summary.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == expected, summary
    assert code == (1 if expected else 0), summary


@pytest.mark.world
def test_the_first_step_of_the_action_installs_the_command(repository: Path) -> None:
    (step,) = [
        e for e in read_yaml("action.yml")["runs"]["steps"] if e["name"] == "install"
    ]
    temp = repository.parent
    packages = sysconfig.get_path("purelib")  # instead of an index
    done = run_script(
        step["run"],
        repository,
        {
            "RUNNER_TEMP": str(temp),
            "GITHUB_PATH": str(temp / "path"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "PYTHONPATH": packages,
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
        },
    )
    assert done.returncode == 0, done.stderr
    command = Path((temp / "path").read_text().strip(), "answerable")
    shown = subprocess.run(
        (command, "--version"),
        env={"PYTHONPATH": packages, "HOME": str(temp), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.stdout.startswith("answerable "), shown.stderr


def test_no_step_of_the_action_inserts_an_expression_into_a_script() -> None:
    for step in read_yaml("action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_script_of_the_gitlab_template_keeps_the_comment(repository: Path) -> None:
    job = read_yaml("deploy/gitlab/answerable-diff.yml")["answerable-diff"]
    script: Sequence[str] = job["script"]
    variables = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD", "FAIL_ON": "high"}
    done = run_script("\n".join(script), repository, variables)
    assert done.returncode == 1, done.stderr
    (artifact,) = job["artifacts"]["paths"]
    assert "PAY" in (repository / artifact).read_text()


@pytest.mark.parametrize("name", PLANS)
def test_the_script_of_the_gitlab_template_compares_a_plan(
    name: str, repository: Path
) -> None:
    plan, expected = PLANS[name]
    (repository / "plan.json").write_text(json.dumps(plan))
    job = read_yaml("deploy/gitlab/answerable-diff.yml")["answerable-diff"]
    variables = {**job["variables"], "PLAN": "plan.json", "FAIL_ON": "low"}
    done = run_script("\n".join(job["script"]), repository, variables)
    (artifact,) = job["artifacts"]["paths"]
    comment = (repository / artifact).read_text()
    assert done.stdout == comment
    _check_lines(done.returncode, comment, len(expected))


def test_the_hook_fails_before_a_commit_that_adds_a_key(repository: Path) -> None:
    (hook,) = read_yaml(".pre-commit-hooks.yaml")
    done = run_script(hook["entry"], repository, {})
    assert done.returncode == 1, done.stderr
    clean = f"git stash -q -u && {hook['entry']}"
    assert run_script(clean, repository, {}).returncode == 0


def test_an_attribute_of_a_revision_hides_no_file(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (repository / ".gitattributes").write_text("* export-ignore\n")
    config = {"mcpServers": {"evil": {"command": "/opt/evil"}}}
    (repository / ".mcp.json").write_text(json.dumps(config))
    (repository / "linked").symlink_to("/etc")
    for words in (("add", "-A"), (*NAMED, "commit", "-qm", "hide")):
        subprocess.run(("git", *words), cwd=repository, check=True)
    monkeypatch.chdir(repository)
    capsys.readouterr()
    assert main(["-o", "json", "diff", "git:HEAD~1", "git:HEAD"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert any("tool:mcp/evil/*" in each["text"] for each in items)


def test_a_link_that_is_also_a_folder_leads_out_of_no_checkout(
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(repository)
    outside = tmp_path / "outside"
    outside.mkdir()

    def git(*words: str, stdin: str = "") -> str:
        done = subprocess.run(
            ("git", *NAMED, *words),
            cwd=repository,
            input=stdin,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    target = git("hash-object", "-w", "--stdin", stdin=str(outside))
    folder = git("mktree", stdin=f"120000 blob {target}\tplanted\n")
    tree = git("mktree", stdin=f"120000 blob {target}\ta\n040000 tree {folder}\ta\n")
    commit = git("commit-tree", "-m", "crafted", tree)
    capsys.readouterr()
    assert main(["diff", f"git:{commit}", str(repository)]) == 2
    assert "as a file and as a folder" in capsys.readouterr().err
    assert not list(outside.iterdir())


@pytest.mark.parametrize("revision", ["nothing", "", "--output=x", "HEAD --exec=x"])
def test_a_revision_that_does_not_exist_is_refused(
    repository: Path, revision: str
) -> None:
    side = shlex.quote(f"git:{revision}")
    done = run_script(f"answerable diff {side} .", repository, {})
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert not (repository / "x").exists()
