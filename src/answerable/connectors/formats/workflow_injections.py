"""Find the text of outsiders that becomes code in a job of a workflow.

Such text becomes code where a script contains its expression, where an action runs an
input as a script, and where a script writes it to a file of environment variables. Text
that passes through the outputs of steps and jobs is not followed.

Sources: https://docs.github.com/actions/concepts/security/script-injections,
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import re
from collections.abc import Iterator

from answerable.connectors.formats.document_node import DocumentNode, walk_scalars
from answerable.connectors.formats.workflow_expressions import (
    find_expressions,
    find_outsider_texts,
)

# Inputs that an action runs as a script or a command.
# Source: https://github.com/github/codeql/tree/main/actions/ql/lib/ext/manual, kinds
# code-injection and command-injection
SCRIPT_INPUTS = {
    "actions/github-script": ("script",),
    "addnab/docker-run-action": ("run",),
    "amadevus/pwsh-script": ("script",),
    "appleboy/ssh-action": ("script",),
    "azure/cli": ("inlinescript",),
    "azure/powershell": ("inlinescript",),
    "cypress-io/github-action": ("command", "build", "start"),
    "devorbitus/yq-action-output": ("cmd",),
    "gabrielbb/xvfb-action": ("run",),
    "jannekem/run-python-script-action": ("script",),
    "mikefarah/yq": ("cmd",),
    "satackey/action-js-inline": ("script",),
}
_ENVIRONMENT_FILE = re.compile(r"GITHUB_(?:ENV|PATH)\b")
_VARIABLE = re.compile(r"\$\{?(\w+)")
_CONTEXT_NAME = re.compile(r"\b(env|matrix)\.([\w-]+)")


def get_action_name(step: DocumentNode) -> str:
    """Return the action of a step in lower case, without its version."""
    return step.text_at("uses").partition("@")[0].lower()


def list_matrix_values(job: DocumentNode, name: str) -> list[str]:
    """List the values of a dimension of the matrix; empty where it is computed."""
    matrix = job.descend("strategy", "matrix")
    if matrix is None or not matrix.is_object:
        return []
    stated = matrix.get(name)
    if stated is not None and not stated.is_array:
        return []
    values = [each.text() for each in stated.items()] if stated is not None else []
    include = matrix.get("include")
    if include is not None and not include.is_array:
        return []
    values += [each.text_at(name) for each in include.items()] if include else []
    return [value for value in values if value]


def list_injections(
    root: DocumentNode, job: DocumentNode, steps: tuple[DocumentNode, ...]
) -> Iterator[str]:
    """List the expressions and variables of an outsider's text that become code."""
    for step in steps:
        variables = _find_variables(root, job, step)
        for script in _list_scripts(step):
            for expression in find_expressions(script):
                yield from find_outsider_texts(expression)
                yield from _list_indirect_texts(job, expression, variables)
        yield from _list_environment_writes(step.text_at("run"), variables)


def _list_scripts(step: DocumentNode) -> Iterator[str]:
    """List the texts of a step that run as code."""
    yield step.text_at("run")
    names = SCRIPT_INPUTS.get(get_action_name(step), ())
    inputs = step.get("with")
    if inputs is not None and names:
        for name, value in inputs.members():
            if name.lower() in names:
                yield value.text()


def _list_indirect_texts(
    job: DocumentNode, expression: str, variables: dict[str, bool]
) -> Iterator[str]:
    """List variables and values of the matrix that hold an outsider's text."""
    for context, name in _CONTEXT_NAME.findall(expression):
        if context == "env" and variables.get(name):
            yield f"env.{name}"
        if context == "matrix" and _has_outsider_value(job, name):
            yield f"matrix.{name}"


def _has_outsider_value(job: DocumentNode, name: str) -> bool:
    """Return whether a value of the matrix, or the matrix, holds an outsider's text."""
    matrix = job.descend("strategy", "matrix")
    texts = list_matrix_values(job, name)
    if not texts and matrix is not None:
        texts = [leaf.text() for leaf in walk_scalars(matrix)]
    return any(map(_holds_outsider_text, texts))


def _find_variables(*holders: DocumentNode) -> dict[str, bool]:
    """Find the variables of `env`: whether each holds an outsider's text.

    Args:
        holders: Workflow, job and step: the last definition counts.
    """
    found: dict[str, bool] = {}
    for holder in holders:
        block = holder.get("env")
        for name, value in block.members() if block is not None else ():
            found[name] = _holds_outsider_text(value.text())
    return found


def _holds_outsider_text(text: str) -> bool:
    """Return whether an expression in a text holds an outsider's text."""
    return any(any(find_outsider_texts(each)) for each in find_expressions(text))


def _list_environment_writes(script: str, variables: dict[str, bool]) -> Iterator[str]:
    """List the outsider's variables of a script that writes environment variables.

    A line that writes no variable writes a fixed text.
    """
    lines = [
        line for line in script.split("\n") if any(_ENVIRONMENT_FILE.finditer(line))
    ]
    written = {
        name
        for line in lines
        for name in _VARIABLE.findall(_ENVIRONMENT_FILE.sub("", line))
        if name
    }
    if written:
        for name in dict.fromkeys(_VARIABLE.findall(script)):
            if variables.get(name):
                yield f"env.{name}"
