"""Find the roles of running ECS tasks and of EC2 launch templates.

Sources: Amazon ECS API Reference, Task (`enableExecuteCommand`, `overrides`), and
TaskOverride (`taskRoleArn` replaces the role of the definition); Amazon EC2 API
Reference, ResponseLaunchTemplateData (`IamInstanceProfile`, by ARN or by name).
"""

import msgspec

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.answer_fields import (
    CLUSTER_TASKS,
    TEMPLATE_VERSIONS,
    FieldAnswer,
)
from answerable.connectors.aws_resources.parse.execution_roles import parse_role_arn
from answerable.connectors.aws_resources.parse.resource_lists import ResourceInventory

_EMPTY_OBJECT = msgspec.Raw(b"{}")


def read_tasks(estate: ResourceInventory, asked: FieldAnswer) -> None:
    """Read the running tasks of one cluster, with their roles."""
    cluster = estate.names.resolve(asked.asked, CLUSTER_TASKS.kind)
    if cluster is None:
        what = "which cluster this is cannot be told (expected its ARN)"
        estate.reading.add_problem(asked.place, what)
        return
    estate.get_or_add(cluster, asked.place)
    if asked.raw is None:
        return
    answer = estate.reading.decode(asked.raw, api_records.EcsTasksAnswer, asked.place)
    if answer is None:
        return
    estate.answered.setdefault(CLUSTER_TASKS.field, set()).add(cluster)
    for task in answer.tasks:
        item = estate.get_or_add_arn(task.task_arn, asked.place, "ecs:task")
        if item is None:
            estate.broken.add("clusterArns")
        elif task.enable_execute_command is not False:
            # Nothing enters a task in which ECS Exec is off.
            item.runs_as = parse_role_arn(task.overrides.task_role_arn)
            if not item.runs_as:
                estate.defined[str(item.arn)] = task.task_definition_arn


def read_versions(estate: ResourceInventory, asked: FieldAnswer) -> None:
    """Read the instance profile in a launch template's default version."""
    template = estate.names.resolve(asked.asked, TEMPLATE_VERSIONS.kind)
    if template is None:
        what = "which launch template this is cannot be told (expected its id)"
        estate.reading.add_problem(asked.place, what)
        return
    raw = asked.raw or _EMPTY_OBJECT
    answer = estate.reading.decode(
        raw, api_records.LaunchTemplateVersionsAnswer, asked.place
    )
    if answer is None:
        return
    estate.answered.setdefault(TEMPLATE_VERSIONS.field, set()).add(template)
    for version in answer.launch_template_versions:
        profile = version.launch_template_data.iam_instance_profile
        if profile is not None:
            named = profile.arn or _find_instance_profile(estate, profile.name)
            estate.launched[str(estate.get_or_add(template, asked.place).arn)] = named


def _find_instance_profile(estate: ResourceInventory, name: str) -> str:
    """Find an instance profile by name; it may have a path."""
    found = [arn for arn in estate.profiles if arn.rpartition("/")[2] == name]
    account = f"arn:{estate.names.partition}:iam::{estate.caller}"
    return found[0] if found else f"{account}:instance-profile/{name}"


def assign_task_roles(estate: ResourceInventory) -> None:
    """Assign each task without its own role that of its task definition."""
    missing: list[str] = []
    for arn, definition in estate.defined.items():
        item = estate.items.get(definition)
        if item is None:
            missing.append(arn)
        else:
            estate.items[arn].runs_as = item.runs_as
    if missing:
        estate.broken.add("clusterArns")
        what = f"the task definitions of {len(missing)} tasks are missing"
        estate.reading.add_problem(estate.items[missing[0]].place, what)
