"""Parse a GitHub workflow file: triggers, and each job's token, secrets and code.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

import re
from collections.abc import Iterator

from answerable.connectors.formats.document_node import DocumentNode, walk_scalars
from answerable.connectors.formats.redaction import make_printable_line, redact_name
from answerable.connectors.formats.workflow_expressions import find_secret_names
from answerable.connectors.formats.workflow_injections import (
    get_action_name,
    list_injections,
    list_matrix_values,
)
from answerable.connectors.formats.workflow_kubeconfigs import find_kubeconfig_secrets
from answerable.model.errors import ParseError
from answerable.reach.github.catalogue import (
    Workflow,
    WorkflowJob,
)
from answerable.reach.github.vocabulary import OUTSIDE_TRIGGERS

JOBS_LIMIT = 2_000
VALUES_LIMIT = 20_000
DYNAMIC = "*"
_SHARED_BLOCKS = ("env", "defaults")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
# Inputs that name a cloud identity, by the action that signs in with the job's OIDC token.
_CLOUD_INPUTS = {
    "aws-actions/configure-aws-credentials": ("role-to-assume",),
    "google-github-actions/auth": ("service_account", "workload_identity_provider"),
    "azure/login": ("client-id",),
}
_CHECKOUT_ACTION = "actions/checkout"
_HEAD = re.compile(
    r"github\.event\.pull_request\.head|github\.head_ref|refs/pull/"
    r"|github\.event\.workflow_run\.head_|github\.event\.pull_request\.number"
    r"|github\.event\.issue\.number|github\.event\.number"
)
# actions/checkout 7 and later refuses code of forks under these events.
# Source: https://docs.github.com/actions/reference/security/securely-using-pull_request_target
_GUARDED_CHECKOUT = 7
_GUARDED_EVENTS = frozenset(("pull_request_target",))
_OPT_OUT = "allow-unsafe-pr-checkout"
_MAJOR_VERSION = re.compile(r"v(\d{1,4})(?:\.[\d.]*)?")
_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")
_HEAD_COMMAND = re.compile(r"\bgh\s+pr\s+checkout\b|\bgit\s+fetch\b[^\n]*\bpull/")


def parse_workflow_definition(
    root: DocumentNode, path: str, branch: str, place: str
) -> Workflow:
    """Parse a workflow file.

    Args:
        root: Parsed document.
        path: Path in the repository.
        branch: Branch that holds it; empty where not known.
        place: Place of the file in the source.

    Raises:
        ParseError: The document is no workflow, or has too many jobs or values.
    """
    jobs = root.get("jobs")
    if jobs is None or not jobs.is_object:
        raise ParseError("not a workflow: the file has no jobs", place)
    members = tuple(jobs.members())
    if len(members) > JOBS_LIMIT:
        raise ParseError(f"the workflow has more than {JOBS_LIMIT} jobs", place)
    shared = _list_shared_texts(root)
    return Workflow(
        path=path,
        branch=branch,
        triggers=tuple(sorted(_list_triggers(root))),
        branches=_list_branch_filters(root),
        jobs=tuple(_parse_job(root, job, name, shared) for name, job in members),
        place=place,
    )


def _list_shared_texts(root: DocumentNode) -> tuple[str, ...]:
    """List the texts above the jobs, which each job reads."""
    texts = tuple(
        leaf.text()
        for key in _SHARED_BLOCKS
        if (block := root.get(key)) is not None
        for leaf in walk_scalars(block)
    )
    if len(texts) > VALUES_LIMIT:
        raise ParseError(
            f"the workflow has more than {VALUES_LIMIT} values outside `jobs`"
        )
    return texts


def _list_triggers(root: DocumentNode) -> set[str]:
    """List the names of the events that trigger a workflow."""
    on = root.get("on")
    if on is None:
        return set()
    names = [name for name, _ in on.members()] or list(root.texts("on"))
    return {make_printable_line(name, 60) for name in names}


def _list_branch_filters(root: DocumentNode) -> tuple[str, ...]:
    """List the branch filters; empty where one of the events has none."""
    filters: set[str] = set()
    for event in ("push", "pull_request"):
        stated = root.descend("on", event)
        if stated is None:
            continue
        names = stated.texts("branches")
        if not names:
            return ()
        filters.update(names)
    return tuple(sorted(filters))


def _parse_job(
    root: DocumentNode, job: DocumentNode, name: str, shared: tuple[str, ...]
) -> WorkflowJob:
    """Parse one job."""
    texts = [leaf.text() for leaf in walk_scalars(job)]
    if len(texts) > VALUES_LIMIT:
        raise ParseError(f"a job has more than {VALUES_LIMIT} values")
    steps = tuple((job.get("steps") or DocumentNode("", None)).items())
    permissions = _read_permissions(job)
    secrets = find_secret_names((*shared, *texts))
    if job.text_at("secrets") == "inherit":
        secrets |= {DYNAMIC}
    return WorkflowJob(
        name=redact_name(name),
        permissions=_read_permissions(root) if permissions is None else permissions,
        secrets=tuple(sorted(secrets)),
        environment=_read_environment(job),
        runner=tuple(dict.fromkeys(_list_runner_labels(job))),
        uses=_shorten_to_one_line(job.text_at("uses").strip(), 200),
        roles=tuple(dict.fromkeys(_list_cloud_targets(steps, (*shared, *texts)))),
        actions=tuple(
            make_printable_line(each.text_at("uses").strip(), 200)
            for each in steps
            if each.text_at("uses")
        ),
        checks_out_head=any(_checks_out_head(root, each) for each in steps),
        kubeconfigs=find_kubeconfig_secrets(root, job, steps),
        injections=tuple(dict.fromkeys(list_injections(root, job, steps))),
    )


def _shorten_to_one_line(text: str, limit: int) -> str:
    """Make a text one printable line; empty stays empty."""
    return make_printable_line(text, limit) if text else ""


def _read_permissions(node: DocumentNode) -> tuple[tuple[str, str], ...] | None:
    """Return the stated token permissions; the scope `all` for all of them."""
    block = node.get("permissions")
    if block is None:
        return None
    if block.text() in ("write-all", "read-all"):
        return (("all", block.text().removesuffix("-all")),)
    return tuple(
        sorted(
            (make_printable_line(name, 40), make_printable_line(value.text(), 20))
            for name, value in block.members()
        )
    )


def _read_environment(job: DocumentNode) -> str:
    """Return the environment of a job; `*` for one that an expression computes."""
    name = job.text_at("environment")
    block = job.get("environment")
    if block is not None and block.is_object:
        name = block.text_at("name")
    return DYNAMIC if "${{" in name else _shorten_to_one_line(name, 255)


def _list_runner_labels(job: DocumentNode) -> Iterator[str]:
    """List the labels and the group of `runs-on`; `*` for an expression.

    A value of the matrix that the file states is read.
    """
    block = job.get("runs-on")
    if block is None:
        return
    labels = [*block.texts("labels"), *job.texts("runs-on")]
    if group := block.text_at("group"):
        labels.append(f"group:{group}")
    for label in labels:
        dimension = _MATRIX.fullmatch(label.strip())
        stated = list_matrix_values(job, dimension[1]) if dimension else []
        for each in stated or (label,):
            yield DYNAMIC if "${{" in each else make_printable_line(each, 255)


def _list_cloud_targets(
    steps: tuple[DocumentNode, ...], texts: tuple[str, ...]
) -> Iterator[str]:
    """List the cloud identities that steps sign in as, as written."""
    for step in steps:
        inputs = step.get("with")
        for name in _CLOUD_INPUTS.get(get_action_name(step), ()):
            value = inputs.text_at(name) if inputs is not None else ""
            if value:
                yield make_printable_line(value.strip(), 600)
    for text in texts:
        yield from _ROLE_ARN.findall(text)


def _checks_out_head(root: DocumentNode, step: DocumentNode) -> bool:
    """Return whether a step checks out code of a pull request's head."""
    inputs = step.get("with")
    if inputs is not None and get_action_name(step) == _CHECKOUT_ACTION:
        stated = f"{inputs.text_at('ref')} {inputs.text_at('repository')}"
        if any(_HEAD.finditer(stated)) and not _is_guarded(root, step, inputs):
            return True
    return any(_HEAD_COMMAND.finditer(step.text_at("run")))


def _is_guarded(root: DocumentNode, step: DocumentNode, inputs: DocumentNode) -> bool:
    """Return whether the version of a checkout refuses code of forks."""
    version = _MAJOR_VERSION.fullmatch(step.text_at("uses").partition("@")[2])
    outside = {name for name in _list_triggers(root) if name in OUTSIDE_TRIGGERS}
    return (
        version is not None
        and int(version[1]) >= _GUARDED_CHECKOUT
        and not inputs.text_at(_OPT_OUT)
        and outside <= _GUARDED_EVENTS
    )
