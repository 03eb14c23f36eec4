"""`findings`, as a user meets it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.posture.conftest import KEY, LATEST_DAY, SECRET, Findings, write

FILES: Mapping[str, str] = {
    "shop/.git/HEAD": "ref: refs/heads/main\n",
    "shop/.env": f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    "shop/.mcp.json": json.dumps(
        {
            "mcpServers": {
                "s3": {
                    "command": "/opt/s3-mcp/run",
                    "env": {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
                }
            }
        }
    ),
}


def test_a_key_in_two_files_and_an_agent_without_owner_are_found(
    findings: Findings, tmp_path: Path
) -> None:
    code, items = findings(f"repo:{write(tmp_path / 'work', FILES)}")
    assert code == 0
    rules = [(each["rule"], each["severity"]) for each in items]
    assert ("scattered-credential", "high") in rules
    assert ("unowned-agent", "medium") in rules
    assert SECRET not in json.dumps(items)


def test_fail_on_exits_1_at_its_severity(findings: Findings, tmp_path: Path) -> None:
    code, _ = findings(
        f"repo:{write(tmp_path / 'work', FILES)}", words=("--fail-on", "high")
    )
    assert code == 1
    code, _ = findings(words=("--fail-on", "critical", "--platform", "repo"))
    assert code == 0


@pytest.mark.parametrize("words", [("--platform", "aws"), ("--platform", "gateway")])
def test_fail_on_is_undecided_for_a_platform_without_data(
    words: tuple[str, ...], findings: Findings, tmp_path: Path
) -> None:
    root = write(tmp_path / "work", FILES)
    code, _ = findings(f"repo:{root}", words=("--fail-on", "critical", *words))
    assert code == 3
    assert findings(words=("--fail-on", "critical", "--allow-partial", *words))[0] == 3


def test_fail_on_is_undecided_without_data_of_any_platform(
    findings: Findings, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,status\nana@corp.example,active\n")
    code, items = findings(f"people:{people}", words=("--fail-on", "low"))
    assert code == 3
    assert {each["state"] for each in items} == {"not-evaluated"}


def test_an_id_survives_line_moves_and_new_neighbours(
    findings: Findings, tmp_path: Path
) -> None:
    root = write(tmp_path / "work", FILES)
    _, before = findings(f"repo:{root}")
    moved = {
        "shop/.env": f"# one\n# two\nOTHER=1\n{FILES['shop/.env']}",
        "lab/.git/HEAD": "ref: refs/heads/main\n",
        "lab/.env": f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    }
    write(root, moved)
    _, after = findings(f"repo:{root}")
    assert {each["id"] for each in before} <= {each["id"] for each in after}


def test_a_suppressed_finding_ends_with_its_day_and_never_fails(
    findings: Findings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "work", FILES)
    _, items = findings(f"repo:{root}")
    found = next(each for each in items if each["rule"] == "scattered-credential")
    reviewed = tmp_path / "reviewed.yaml"

    def review(until: str) -> tuple[int, list[dict[str, object]]]:
        reviewed.write_text(
            f"suppressions:\n  - id: {found['id']}\n    reason: migration\n"
            f"    owner: ana@corp.example\n    until: {until}\n"
            f"assignments:\n  - {{id: '{found['id']}', person: bo}}\n"
        )
        words = ("--suppressions", str(reviewed), "--fail-on", "high")
        code, items = findings(words=words)
        return code, [each for each in items if each["id"] == found["id"]]

    code, (item,) = review(LATEST_DAY)
    assert (code, item["state"], item["assigned"]) == (0, "suppressed", "person:bo")
    assert item["suppression"] == {
        "reason": "migration",
        "owner": "person:ana@corp.example",
        "until": LATEST_DAY,
        "signed": None,
    }
    code, (item,) = review("2020-01-01")
    assert (code, item["state"]) == (1, "open")
    assert "suppression" not in item
    missing = "finding:unowned-agent/mistyped"
    text = f"{reviewed.read_text()}  - {{id: '{missing}', person: bo}}\n"
    reviewed.write_text(text)
    store = ("--store", str(tmp_path / "store"))
    main([*store, "findings", "--suppressions", str(reviewed)])
    warning = f"no finding has the id '{missing}'; the acceptance has ended of "
    assert f"{warning}'{found['id']}'" in capsys.readouterr().err


def test_new_since_lists_only_what_a_snapshot_did_not_have(
    findings: Findings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "work", {"shop/.git/HEAD": "x\n", "shop/.mcp.json": "{}"})
    findings(f"repo:{root}")
    store = str(tmp_path / "store")
    main(["--store", store, "-o", "json", "scan", f"repo:{root}"])
    snapshot = json.loads(capsys.readouterr().out)["items"][0]["snapshot"]
    write(root, FILES)
    code, items = findings(
        f"repo:{root}", words=("--new-since", snapshot, "--fail-on", "high")
    )
    assert code == 1
    assert "scattered-credential" in {each["rule"] for each in items}
    code, items = findings(words=("--new-since", "@latest", "--fail-on", "low"))
    assert (code, items) == (0, [])


def test_the_title_of_a_rule_without_data_names_the_data(
    findings: Findings, tmp_path: Path
) -> None:
    _, items = findings(f"repo:{write(tmp_path / 'work', FILES)}")
    missing = [each for each in items if each["state"] == "not-evaluated"]
    assert missing
    for each in missing:
        assert each["missing"][0]["what"] in each["title"]
        assert "{" not in each["title"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("suppressions:\n  - {id: a, reason: b, owner: c}\n", "missing member"),
        ("suppressions:\n  - {id: a, reason: b, owner: c, until: x}\n", "invalid day"),
        (
            "suppressions:\n  - {id: a, reason: b, owner: c, until: 9999-12-31}\n",
            "a day within 366 days",
        ),
        ("hidden: []\n", "unknown section"),
        ("laptop\n", "expected suppressions or assignments"),
        ("- id: a\n", "expected suppressions or assignments"),
        ("suppressions: {id: a}\n", "expected - {id, reason, owner, until}"),
    ],
)
def test_a_wrong_reviewed_file_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    root = write(tmp_path / "work", FILES)
    store = ["--store", str(tmp_path / "store")]
    main([*store, "scan", f"repo:{root}"])
    (tmp_path / "reviewed.yaml").write_text(text)
    code = main([*store, "findings", "--suppressions", str(tmp_path / "reviewed.yaml")])
    assert code == 2
    assert problem in capsys.readouterr().err


def test_a_platform_without_rules_is_refused(
    findings: Findings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    findings(f"repo:{write(tmp_path / 'work', FILES)}")
    capsys.readouterr()
    store = next(path for path in tmp_path.rglob("format.json")).parent
    assert main(["--store", str(store), "findings", "--platform", "gthub"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no rule is about this platform (got 'gthub')")
    assert "github" in error


def test_a_person_whom_nothing_names_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    main(["--store", store, "scan", f"repo:{write(tmp_path / 'work', FILES)}"])
    capsys.readouterr()
    assert main(["--store", store, "findings", "--owner", "nobdy"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in error] == ["error", "hint"]
    assert "person" in error[0]
