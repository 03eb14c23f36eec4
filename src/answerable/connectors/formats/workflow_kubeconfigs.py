"""Find the secrets that a job of a workflow uses as a kubeconfig.

Sources: https://github.com/Azure/k8s-set-context (inputs `kubeconfig`, `k8s-secret`),
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
(`KUBECONFIG`, `~/.kube/config`)
"""

import re
from collections.abc import Iterator

from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.workflow_expressions import find_secret_names
from answerable.connectors.formats.workflow_injections import get_action_name

_LOGIN_ACTION = "azure/k8s-set-context"
_LOGIN_INPUT = "k8s-secret"
_NAME = re.compile(r"kube[_-]?config", re.IGNORECASE)
_FILE = re.compile(r"\.kube/config|kube[_-]?config", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?(\w+)")


def find_kubeconfig_secrets(
    root: DocumentNode, job: DocumentNode, steps: tuple[DocumentNode, ...]
) -> tuple[str, ...]:
    """Find the names of secrets that a step takes or writes as a kubeconfig."""
    found: set[str] = set()
    for step in steps:
        variables = dict(_list_variables(root, job, step))
        texts = [value for name, value in variables.items() if _NAME.findall(name)]
        texts += _list_inputs(step)
        for line in step.text_at("run").split("\n"):
            if any(_FILE.finditer(line)):
                texts.append(line)
                texts += (variables.get(n, "") for n in _VARIABLE.findall(line))
        found |= find_secret_names(texts)
    return tuple(sorted(found))


def _list_variables(*holders: DocumentNode) -> Iterator[tuple[str, str]]:
    """List the variables of workflow, job and step; the last definition counts."""
    for holder in holders:
        block = holder.get("env")
        for name, value in block.members() if block is not None else ():
            yield name, value.text()


def _list_inputs(step: DocumentNode) -> Iterator[str]:
    """List the inputs of a step that take a kubeconfig or a token of a cluster."""
    inputs = step.get("with")
    for name, value in inputs.members() if inputs is not None else ():
        login = get_action_name(step) == _LOGIN_ACTION and name.lower() == _LOGIN_INPUT
        if login or _NAME.findall(name):
            yield value.text()
