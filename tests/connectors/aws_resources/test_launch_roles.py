"""Tasks that run, and launch templates: as whom, and where all of them are known."""

import pytest

from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.coverage import CoverageScope
from tests.connectors.aws_resources.conftest import Read

ACCOUNT, REGION = "123456789012", "eu-west-1"
HERE = f"{REGION}:{ACCOUNT}"
CLUSTER = f"arn:aws:ecs:{HERE}:cluster/apps"
TASK = f"arn:aws:ecs:{HERE}:task/apps/0123"
DEFINITION = f"arn:aws:ecs:{HERE}:task-definition/t:1"
TEMPLATE = f"arn:aws:ec2:{HERE}:launch-template/lt-1"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/path/web"
ROLE, OTHER = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("r", "o"))
CALLER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/x"}
DEFINED = {"taskDefinitionArn": DEFINITION, "taskRoleArn": ROLE}
TASKS_HELD = CoverageScope("running-code", ACCOUNT, REGION, "ecs:task")
TEMPLATES_HELD = CoverageScope("running-code", ACCOUNT, REGION, "ec2:launch-template")


def file_of(**fields: object) -> dict[str, object]:
    return {
        **CALLER,
        "Region": REGION,
        "TaskDefinitions": {DEFINITION: {"taskDefinition": DEFINED}},
        **fields,
    }


def task(**fields: object) -> dict[str, object]:
    return {"taskArn": TASK, "taskDefinitionArn": DEFINITION, **fields}


def cluster(*tasks: dict[str, object]) -> dict[str, object]:
    answer = {"tasks": list(tasks), "failures": []}
    return file_of(clusterArns=[CLUSTER], ClusterTasks={CLUSTER: answer})


def runs_as(parsed: ParsedAwsAnswers) -> dict[str, str]:
    return {str(r.id): str(r.runs_as) for r in parsed.facts.resources}


@pytest.mark.parametrize(
    ("fields", "role"),
    [
        ({"enableExecuteCommand": True}, ROLE),
        ({}, ROLE),
        ({"overrides": {"taskRoleArn": OTHER}}, OTHER),
        ({"enableExecuteCommand": False}, ""),
        ({"overrides": {"taskRoleArn": OTHER}, "enableExecuteCommand": False}, ""),
    ],
)
def test_a_task_runs_as_its_override_or_its_definition_where_it_can_be_entered(
    fields: dict[str, object], role: str, read: Read
) -> None:
    parsed = read(cluster(task(**fields)))
    assert runs_as(parsed)[TASK] == role
    assert parsed.problems == ()
    assert TASKS_HELD in parsed.held


def test_a_cluster_without_an_answer_leaves_its_tasks_unknown(read: Read) -> None:
    refused = {CLUSTER: {"Error": "An error (AccessDenied) when"}}
    for answers in ({}, refused):
        parsed = read(file_of(clusterArns=[CLUSTER], ClusterTasks=answers))
        assert TASKS_HELD not in parsed.held
    assert TASKS_HELD in read(file_of(clusterArns=[])).held


def test_a_task_of_an_unknown_definition_leaves_tasks_unknown(read: Read) -> None:
    gone = {**task(), "taskDefinitionArn": f"{DEFINITION}0"}
    parsed = read(cluster(gone))
    assert TASKS_HELD not in parsed.held
    assert [p.what for p in parsed.problems] == [
        "the task definitions of 1 tasks are missing"
    ]


def templates(profile: dict[str, str] | None, **fields: object) -> dict[str, object]:
    data = {} if profile is None else {"IamInstanceProfile": profile}
    version = {"LaunchTemplateId": "lt-1", "LaunchTemplateData": data}
    return file_of(
        InstanceProfiles=[{"Arn": PROFILE, "Roles": [{"Arn": ROLE}]}],
        LaunchTemplates=[{"LaunchTemplateId": "lt-1"}],
        DefaultVersions={"lt-1": {"LaunchTemplateVersions": [version]}},
        **fields,
    )


@pytest.mark.parametrize(
    ("profile", "role"),
    [({"Arn": PROFILE}, ROLE), ({"Name": "web"}, ROLE), (None, "")],
)
def test_a_launch_template_runs_as_the_role_of_its_profile(
    profile: dict[str, str] | None, role: str, read: Read
) -> None:
    parsed = read(templates(profile))
    assert runs_as(parsed)[TEMPLATE] == role
    assert TEMPLATES_HELD in parsed.held


def test_a_profile_that_is_not_here_leaves_templates_unknown(read: Read) -> None:
    parsed = read(templates({"Name": "another"}))
    assert TEMPLATES_HELD not in parsed.held
    assert runs_as(parsed)[TEMPLATE] == ""


def test_without_a_region_no_launch_template_can_be_named(read: Read) -> None:
    whole = templates(None)
    del whole["Region"]
    parsed = read(whole)
    assert parsed.problems
    assert TEMPLATES_HELD not in parsed.held
