"""Decide which security facts of a pod give its node to the processes in it."""

from collections.abc import Iterable, Iterator

from answerable.reach.condition_formula import (
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
)
from answerable.reach.kubernetes.catalogue import Container, HostMount, Workload
from answerable.reach.kubernetes.node_escape_rules import NODE_ESCAPES, NodeEscape
from answerable.reach.kubernetes.step_rules import KERNEL

ROOT = "kubernetes:root"


def find_node_escape(workload: Workload) -> tuple[Formula, str] | None:
    """Find the condition on which a pod controls its node, and the fact that says so.

    Returns:
        None where no security fact of the pod gives the node.
    """
    found = [
        (_build_condition(escape, container), f"{container.name}: {escape.name}")
        for container in workload.containers
        for escape in NODE_ESCAPES
        if _gives_node(escape, workload, container)
    ]
    if not found:
        return None
    formula = disjoin(*(each for each, _ in found))
    certain = (text for each, text in found if each == TRUE)
    return formula, next(certain, found[0][1])


def _gives_node(escape: NodeEscape, workload: Workload, container: Container) -> bool:
    """Return whether a container has the facts of an escape."""
    if escape.privileged:
        return container.privileged
    if escape.host_pid and not workload.host_pid:
        return False
    if escape.capabilities:
        held = {each.upper().removeprefix("CAP_") for each in container.capabilities}
        return "ALL" in held or held.issuperset(escape.capabilities)
    writable = (each for each in container.host_mounts if not each.read_only)
    return _is_mounted(writable, escape.written) or _is_mounted(
        container.host_mounts, escape.read
    )


def _is_mounted(mounts: Iterable[HostMount], paths: Iterable[str]) -> bool:
    """Return whether one of the paths is mounted, alone or within a folder."""
    folders = tuple(each.path.rstrip("/") for each in mounts)
    return any(
        path == folder or path.startswith(f"{folder}/")
        for path in paths
        for folder in folders
    )


def _build_condition(escape: NodeEscape, container: Container) -> Formula:
    """Build the condition of an escape: of its kind, and that the process is root."""
    parts = list(_iterate_conditions(escape, container))
    return conjoin(*parts) if parts else TRUE


def _iterate_conditions(escape: NodeEscape, container: Container) -> Iterator[Formula]:
    """Yield the conditions of an escape."""
    if escape.condition == KERNEL:
        yield build_atom(KERNEL, "Allows", (escape.name,))
    if container.run_as_root is False:
        yield build_atom(ROOT, "Equals", (container.name,))
