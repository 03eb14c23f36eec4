"""Subjects, actions, resources and statements that the law on removed sources draws."""

from answerable.cli.sample.google_project import SUPPORT_AGENT, VERTEX_AGENT
from answerable.cli.sample.platform_account import (
    LEDGER_OBJECT,
    LEDGER_ROLE,
    PREVIEW_ROLE,
)
from tests.estate.removal_questions import (
    APP,
    BINDING,
    DEVELOPER,
    GONE,
    KEY,
    LEDGER,
    LEDGER_CALL,
    MEMBER,
    ORDERS,
    PEOPLE,
    PODS,
    PREVIEW_USER,
    READER,
    REPORTER,
    SECRETS,
    STATEMENT,
    SUPPORT,
    USER,
    WORKFLOW,
)
from tests.estate.sample_stores import DATA, ELSEWHERE, LABS, PIPELINE_AGENT, ROLE

SUBJECTS = (
    *(REPORTER, "agent:claude-code/ana", PIPELINE_AGENT),
    *(USER, KEY, GONE, ELSEWHERE, "*", "lambda.amazonaws.com"),
    *(f"{ROLE}/{name}" for name in ("data-reader", "ci-deploy", "lambda-admin")),
    *(APP, SUPPORT, DEVELOPER),
    *(LEDGER, PREVIEW_USER, WORKFLOW, *PEOPLE, LEDGER_ROLE, PREVIEW_ROLE),
    *(VERTEX_AGENT, SUPPORT_AGENT, "user:ben@corp.example"),
)
ACTIONS = ("s3:GetObject", "s3:DeleteObject", "iam:CreateUser", "sts:AssumeRole")
ACTIONS += ("SELECT", "DELETE", "get", "create", "push", "merge", "read-secret")
ACTIONS += (LEDGER_CALL[0], "iam.serviceAccounts.getAccessToken")
RESOURCES = (DATA, "arn:aws:s3:::other/x", "*", f"{ROLE}/data-reader", ORDERS)
RESOURCES += (LEDGER_OBJECT, f"{SECRETS}/x", f"{PODS}/x", LABS, f"{LABS}/branch/main")
RESOURCES += (LEDGER_CALL[1],)
STATEMENTS = (
    *(STATEMENT, f"{USER}#inline/inline#2", f"{ROLE}/data-reader#trust#0"),
    *(f"{ROLE}/data-reader#inline/inline#0", f"{ROLE}/ci-deploy#trust#0"),
    *(MEMBER, BINDING, READER),
)
