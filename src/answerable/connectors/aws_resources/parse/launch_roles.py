"""Roles of running ECS tasks and of launch templates.

Sources: Amazon ECS API Reference, Task (`enableExecuteCommand`, `overrides`), and
TaskOverride (`taskRoleArn` replaces the role of the definition); Amazon EC2 API
Reference, ResponseLaunchTemplateData (`IamInstanceProfile`, by ARN or by name).
"""

import msgspec

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.answer_fields import (
    CLUSTER_TASKS,
    TEMPLATE_VERSIONS,
    Asked,
)
from answerable.connectors.aws_resources.parse.execution_roles import role_of
from answerable.connectors.aws_resources.parse.resource_lists import Estate

_NOTHING = msgspec.Raw(b"{}")


def read_tasks(estate: Estate, asked: Asked) -> None:
    """Read the tasks of one cluster."""
    cluster = estate.names.find(asked.asked, CLUSTER_TASKS.kind)
    if cluster is None:
        what = "which cluster this is cannot be told (expected its ARN)"
        estate.reading.problem(asked.place, what)
        return
    estate.item(cluster, asked.place)
    if asked.raw is None:
        return
    answer = estate.reading.decode(asked.raw, api_records.Tasks, asked.place)
    if answer is None:
        return
    estate.answered.setdefault(CLUSTER_TASKS.field, set()).add(cluster)
    for task in answer.tasks:
        item = estate.named(task.task_arn, asked.place, "ecs:task")
        if item is None:
            estate.broken.add("clusterArns")
        elif task.enable_execute_command is not False:
            # Nothing enters a task in which ECS Exec is off.
            item.runs_as = role_of(task.overrides.task_role_arn)
            if not item.runs_as:
                estate.defined[str(item.arn)] = task.task_definition_arn


def read_versions(estate: Estate, asked: Asked) -> None:
    """Read the default version of one launch template."""
    template = estate.names.find(asked.asked, TEMPLATE_VERSIONS.kind)
    if template is None:
        what = "which launch template this is cannot be told (expected its id)"
        estate.reading.problem(asked.place, what)
        return
    raw = asked.raw or _NOTHING
    answer = estate.reading.decode(raw, api_records.TemplateVersions, asked.place)
    if answer is None:
        return
    estate.answered.setdefault(TEMPLATE_VERSIONS.field, set()).add(template)
    for version in answer.launch_template_versions:
        profile = version.launch_template_data.iam_instance_profile
        if profile is not None:
            named = profile.arn or _named(estate, profile.name)
            estate.launched[str(estate.item(template, asked.place).arn)] = named


def _named(estate: Estate, name: str) -> str:
    """Find an instance profile by name; it may have a path."""
    found = [arn for arn in estate.profiles if arn.rpartition("/")[2] == name]
    account = f"arn:{estate.names.partition}:iam::{estate.caller}"
    return found[0] if found else f"{account}:instance-profile/{name}"


def resolve_definitions(estate: Estate) -> None:
    """Assign tasks the role of their definition."""
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
        estate.reading.problem(estate.items[missing[0]].place, what)
