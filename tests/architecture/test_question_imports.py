"""A permission question imports the modules that answer it, and not the whole package."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

USER = "arn:aws:iam::111122223333:user/report-job"
OBJECT = "arn:aws:s3:::warehouse-customers/2026.csv"
ACCOUNT = {
    "UserDetailList": [
        {
            "UserName": "report-job",
            "UserId": "AIDAEXAMPLE",
            "Arn": USER,
            "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "UserPolicyList": [
                {
                    "PolicyName": "read",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "s3:GetObject",
                                "Resource": "arn:aws:s3:::warehouse-customers/*",
                            }
                        ],
                    },
                }
            ],
            "AttachedManagedPolicies": [],
            "GroupList": [],
        }
    ],
    "GroupDetailList": [],
    "RoleDetailList": [],
    "Policies": [],
}
COUNTED = """
import sys
from answerable.cli.main import main
code = main(sys.argv[1:])
loaded = [name for name in sys.modules if name.partition(".")[0] == "answerable"]
print(*loaded, file=sys.stderr)
sys.exit(code)
"""
# Most modules of each question. A new one that every question imports costs each about
# half a millisecond: import it in the function that needs it.
MOST = {"can": 162, "who-can": 215, "reach": 213, "who-owns": 104}
QUESTIONS = {
    "can": ("can", USER, "s3:GetObject", OBJECT),
    "who-can": ("who-can", "s3:GetObject", OBJECT),
    "reach": ("reach", USER),
    "who-owns": ("who-owns", USER),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    file = folder / "account.json"
    file.write_text(json.dumps(ACCOUNT))
    list_imports(folder / "store", "scan", f"aws:{file}")
    for kind in ("can", "who-can"):  # they derive what the next questions read
        list_imports(folder / "store", *QUESTIONS[kind])
    return folder / "store"


def list_imports(store: Path, *words: str) -> set[str]:
    """Run a command, and list the package's modules that it imported."""
    ran = subprocess.run(
        [sys.executable, "-c", COUNTED, "--store", store, "-q", "-o", "json", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.split())


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_question_imports_no_more_modules_than_it_needs(
    store: Path, kind: str
) -> None:
    loaded = list_imports(store, *QUESTIONS[kind])
    assert len(loaded) <= MOST[kind], sorted(loaded)


def test_a_question_about_aws_imports_no_evaluation_of_another_platform(
    store: Path,
) -> None:
    loaded = list_imports(store, *QUESTIONS["can"])
    other = {each for each in loaded if each.startswith("answerable.reach.postgres.")}
    assert other <= {"answerable.reach.postgres.platform"}
    assert "answerable.inventory.sync_join" not in loaded
