"""Find the roles of running ECS tasks and of EC2 launch templates.

Sources: Amazon ECS API Reference, Task (`enableExecuteCommand`, `overrides`), and
TaskOverride (`taskRoleArn` replaces the role of the definition); Amazon EC2 API
Reference, ResponseLaunchTemplateData (`IamInstanceProfile`, by ARN or by name).
"""

import msgspec

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.execution_roles import parse_role_arn
from answerable.connectors.aws_resources.parse.resource_lists import ResourceInventory
from answerable.connectors.aws_resources.parse.response_fields import (
    CLUSTER_TASKS,
    TEMPLATE_VERSIONS,
    FieldAnswer,
)

_EMPTY_OBJECT = msgspec.Raw(b"{}")


def read_ecs_tasks(inventory: ResourceInventory, entry: FieldAnswer) -> None:
    """Read the running tasks of one cluster, with their roles."""
    cluster = inventory.names.resolve(entry.queried_id, CLUSTER_TASKS.kind)
    if cluster is None:
        what = "the cluster is unknown (expected its ARN)"
        inventory.reader.add_problem(entry.place, what)
        return
    inventory.get_or_add(cluster, entry.place)
    if entry.raw is None:
        return
    answer = inventory.reader.decode(entry.raw, api_records.EcsTasksAnswer, entry.place)
    if answer is None:
        return
    inventory.answered.setdefault(CLUSTER_TASKS.field, set()).add(cluster)
    for task in answer.tasks:
        item = inventory.get_or_add_arn(task.task_arn, entry.place, "ecs:task")
        if item is None:
            inventory.incomplete_lists.add("clusterArns")
        elif task.enable_execute_command is not False:
            # Nothing enters a task in which ECS Exec is off.
            item.runs_as = parse_role_arn(task.overrides.task_role_arn)
            if not item.runs_as:
                inventory.task_definitions[str(item.arn)] = task.task_definition_arn


def read_launch_template_version(
    inventory: ResourceInventory, entry: FieldAnswer
) -> None:
    """Read the instance profile in a launch template's default version."""
    template = inventory.names.resolve(entry.queried_id, TEMPLATE_VERSIONS.kind)
    if template is None:
        what = "the launch template is unknown (expected its id)"
        inventory.reader.add_problem(entry.place, what)
        return
    raw = entry.raw or _EMPTY_OBJECT
    answer = inventory.reader.decode(
        raw, api_records.LaunchTemplateVersionsAnswer, entry.place
    )
    if answer is None:
        return
    inventory.answered.setdefault(TEMPLATE_VERSIONS.field, set()).add(template)
    for version in answer.launch_template_versions:
        profile = version.launch_template_data.iam_instance_profile
        if profile is not None:
            named = profile.arn or _find_instance_profile(inventory, profile.name)
            inventory.instance_profiles[
                str(inventory.get_or_add(template, entry.place).arn)
            ] = named


def _find_instance_profile(inventory: ResourceInventory, name: str) -> str:
    """Find an instance profile by name; it may have a path."""
    found = [arn for arn in inventory.profile_roles if arn.rpartition("/")[2] == name]
    account = f"arn:{inventory.names.partition}:iam::{inventory.caller}"
    return found[0] if found else f"{account}:instance-profile/{name}"


def assign_task_roles(inventory: ResourceInventory) -> None:
    """Assign each task without its own role that of its task definition."""
    missing: list[str] = []
    for arn, definition in inventory.task_definitions.items():
        item = inventory.items.get(definition)
        if item is None:
            missing.append(arn)
        else:
            inventory.items[arn].runs_as = item.runs_as
    if missing:
        inventory.incomplete_lists.add("clusterArns")
        what = f"the task definitions of {len(missing)} tasks are missing"
        inventory.reader.add_problem(inventory.items[missing[0]].place, what)
