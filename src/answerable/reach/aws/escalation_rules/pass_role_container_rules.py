"""Table of `iam:PassRole` rules that start a container under a role: ECS and Batch.

Sources: as in `pass_role_rules`.
"""

from answerable.reach.aws.escalation_rules.rule_builders import (
    build_arn,
    build_pass_role_rule,
)
from answerable.reach.aws.escalation_rules.rule_types import PassRoleRule

_ECS = "ecs-tasks.amazonaws.com"
_TASK = build_arn("ecs", "task-definition/{name}:1")
_CLUSTER = build_arn("ecs", "cluster/{name}")
_SERVICE = build_arn("ecs", "service/{name}/{name}")
_THERE = "{existing}"
_IN_CLUSTER = "a cluster exists in which tasks can run"
_ON_INSTANCE = "a cluster with a registered container instance exists"

CONTAINERS: tuple[PassRoleRule, ...] = (
    # "RunTask: cluster. ... If you do not specify a cluster, the default cluster is
    # assumed": it exists only after it was created. StartTask also needs an instance
    # that is registered in the cluster.
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, RunTask and CreateCluster; "
        "pathfinding.cloud ecs-002",
        (
            ("ecs:CreateCluster", _CLUSTER),
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:RunTask", _TASK),
        ),
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, RunTask; pathfinding.cloud ecs-004",
        (
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:RunTask", _TASK),
        ),
        precondition=_IN_CLUSTER,
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, StartTask; pathfinding.cloud ecs-005",
        (
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:StartTask", _TASK),
        ),
        precondition=_ON_INSTANCE,
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, CreateService and CreateCluster; "
        "pathfinding.cloud ecs-001",
        (
            ("ecs:CreateCluster", _CLUSTER),
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:CreateService", _SERVICE),
        ),
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, CreateService; pathfinding.cloud ecs-003",
        (
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:CreateService", _SERVICE),
        ),
        precondition=_IN_CLUSTER,
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS Developer Guide, services",
        (
            ("ecs:RegisterTaskDefinition", _TASK),
            ("ecs:UpdateService", _THERE),
        ),
        changed_resource_kind="ecs:service",
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, RunTask: overrides, taskRoleArn; "
        "pathfinding.cloud ecs-008",
        (("ecs:RunTask", _THERE),),
        changed_resource_kind="ecs:task-definition",
        precondition=_IN_CLUSTER,
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, RunTask: overrides, taskRoleArn; CreateCluster",
        (
            ("ecs:CreateCluster", _CLUSTER),
            ("ecs:RunTask", _THERE),
        ),
        changed_resource_kind="ecs:task-definition",
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, StartTask: overrides, taskRoleArn; "
        "pathfinding.cloud ecs-009",
        (("ecs:StartTask", _THERE),),
        changed_resource_kind="ecs:task-definition",
        precondition=_ON_INSTANCE,
    ),
    build_pass_role_rule(
        _ECS,
        "AWS Batch User Guide, job definitions; pathfinding.cloud batch-001",
        (
            (
                "batch:RegisterJobDefinition",
                build_arn("batch", "job-definition/{name}"),
            ),
            ("batch:SubmitJob", build_arn("batch", "job/{name}")),
            ("batch:SubmitJob", _THERE),
        ),
        changed_resource_kind="batch:job-queue",
    ),
    build_pass_role_rule(
        _ECS,
        "Amazon ECS API Reference, RegisterContainerInstance and StartTask: overrides; "
        "pathfinding.cloud ecs-007",
        (
            ("ecs:RegisterContainerInstance", _CLUSTER),
            ("ecs:StartTask", _THERE),
        ),
        changed_resource_kind="ecs:task-definition",
        precondition=(
            "there is a cluster, and an instance of the caller's to register in it"
        ),
    ),
    build_pass_role_rule(
        _ECS,
        "AWS Batch User Guide, compute environments, job queues and job definitions; "
        "pathfinding.cloud batch-003",
        (
            (
                "batch:CreateComputeEnvironment",
                build_arn("batch", "compute-environment/{name}"),
            ),
            ("batch:CreateJobQueue", build_arn("batch", "job-queue/{name}")),
            ("batch:CreateJobQueue", build_arn("batch", "compute-environment/{name}")),
            (
                "batch:RegisterJobDefinition",
                build_arn("batch", "job-definition/{name}"),
            ),
            ("batch:SubmitJob", build_arn("batch", "job/{name}")),
            ("batch:SubmitJob", build_arn("batch", "job-queue/{name}")),
        ),
    ),
)
