"""Open one side of a comparison: a snapshot, a checkout or a Terraform plan."""

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from answerable.connectors.api_response_file import read_answer_file
from answerable.connectors.aws.declaration import (
    COLLECTS,
    build_whole_account_coverage,
)
from answerable.connectors.aws.parse import parse as parse_account
from answerable.connectors.bounded_folder import BoundedFolder
from answerable.connectors.formats.terraform_account import (
    build_account_details,
    build_kubernetes_objects,
    digest_unknown_objects,
    find_planned_account,
)
from answerable.connectors.formats.terraform_changes import JsonObject
from answerable.connectors.formats.terraform_plan import (
    PlannedResource,
    parse_terraform_plan,
)
from answerable.connectors.kubernetes.fetch import read_checkout
from answerable.connectors.kubernetes.parse import parse as parse_cluster
from answerable.connectors.kubernetes.parse.cluster_builder import (
    NO_KIND,
    ClusterBuilder,
)
from answerable.connectors.repo import fetch as repo
from answerable.inventory.compared_things import ComparedSide
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.model.inventory import Inventory
from answerable.model.progress import ProgressCallback
from answerable.model.sighting import Sync
from answerable.services.inventory import snapshots
from answerable.services.posture.default_cluster_roles import add_default_cluster_roles
from answerable.services.posture.git_revision import extract_revision
from answerable.services.posture.infrastructure_code import digest_infrastructure_code
from answerable.services.statements.tool_approvals import ToolApprovalReader
from answerable.store.store import EvidenceStore

PRIOR = "#prior"
_GIT = "git:"
_PLAN = "a Terraform plan"
_EXPECTED = "the output of `terraform show -json PLAN`"
_CHECKOUT_CLUSTER = "checkout"
_POSITION = re.compile(r"(#.*|:\d+)$")  # behind the path of a problem


@dataclass(frozen=True, slots=True)
class SideContext:
    """Context that both sides of one comparison share.

    Attributes:
        store: Opens a store folder, and returns it with the name of a snapshot in the
            text; None if the text names no store.
        cwd: Folder for relative paths.
        now: UTC nanoseconds.
        progress: Called with (done, total, what).
        key: Key of fingerprints, so that one value has one fingerprint on both sides.
    """

    store: Callable[[str], "tuple[EvidenceStore, str] | None"]
    cwd: Path
    now: int
    progress: ProgressCallback
    key: bytes

    def fingerprint(self, value: str) -> str:
        """Return the keyed fingerprint of a secret value."""
        return hashlib.blake2b(value.encode(), key=self.key, digest_size=12).hexdigest()


def build_side_context(
    store: Callable[[str], "tuple[EvidenceStore, str] | None"],
    cwd: Path,
    now: int,
    progress: ProgressCallback,
) -> SideContext:
    """Build the context of a comparison with a fingerprint key of its own."""
    return SideContext(store, cwd, now, progress, secrets.token_bytes(32))


def list_newest_snapshots(context: SideContext, store: str) -> tuple[str, str]:
    """List the two newest snapshots of a store, older first, as sides.

    Raises:
        UsageError: There is no store, or only one snapshot.
    """
    opened = context.store(f"@{snapshots.LATEST}")
    names = (
        [each.name for each in snapshots.list_snapshots(opened[0])] if opened else []
    )
    if len(names) < 2:
        raise UsageError(
            f"expected two snapshots in {store} (got {len(names)})",
            "run `answerable scan` again, or name two sides: answerable diff A B",
        )
    return f"@{names[-2]}", f"@{names[-1]}"


def open_side(text: str, context: SideContext, project: str) -> ComparedSide:
    """Open a side: `STORE[@SNAPSHOT]`, a checkout, `git:REVISION`, or a plan file.

    Args:
        project: Name of both checkouts' project, if their `.git` names none.

    Raises:
        UsageError: It is none of these, or an unknown snapshot.
    """
    if text.startswith(_GIT):
        with extract_revision(context.cwd, text.removeprefix(_GIT)) as path:
            return _read_checkout(path, context, project)
    opened = context.store(text)
    if opened is not None:
        return _read_snapshot(*opened, context)
    path = Path(context.cwd, text.removesuffix(PRIOR))
    if path.is_dir():
        return _read_checkout(path, context, project)
    if path.exists():
        return _read_plan(path, context, prior=text.endswith(PRIOR))
    raise UsageError(
        f"{text.removesuffix(PRIOR)[:200]}: no such store, checkout or plan",
        "name STORE, STORE@SNAPSHOT, a folder, git:REVISION or a plan as JSON",
    )


def _read_snapshot(
    store: EvidenceStore, snapshot: str, context: SideContext
) -> ComparedSide:
    """Read a snapshot with the approved tool definitions of its store."""
    inventory = snapshots.load_inventory(
        store, snapshot, now=context.now, progress=context.progress
    )
    if not inventory.coverage:
        raise UsageError(
            f"{store.root} has no snapshot", "run `answerable scan` on it first"
        )
    approvals = store.get_or_create_cached("tool approvals", ToolApprovalReader)
    pins = {
        str(name): str(digest)
        for each in approvals.select(context.now).active
        for name, digest in each.statement.claims
    }
    return ComparedSide(inventory, pins=pins)


def _read_checkout(path: Path, context: SideContext, project: str) -> ComparedSide:
    """Read the agents, workflows and manifests of a checkout."""
    root = path.resolve()
    # The place of a checkout says nothing: a revision is read in a temporary folder.
    sync_context = SyncContext(
        context.now,
        context.fingerprint,
        context.progress,
        project=project,
        in_home=False,
    )
    manifests = read_checkout(str(root), _CHECKOUT_CLUSTER, context.now)
    # Other files of a checkout are no manifests that could not be read.
    problems = tuple(e for e in manifests.problems if e.what != NO_KIND)
    syncs = [
        repo.sync(str(root), sync_context),
        replace(manifests, problems=problems),
    ]
    unread = {
        place: _digest_file(Path(root, place))
        for sync in syncs
        for problem in sync.problems
        for place in [_POSITION.sub("", problem.place.removeprefix(f"{root}/"))]
    }
    inventory, unresolved = add_default_cluster_roles(_join_syncs(syncs, context.now))
    files = BoundedFolder.open(str(root)).walk(lambda _: False)
    return ComparedSide(
        inventory,
        str(root),
        empty=next(files, None) is None,
        unread=unread,
        unresolved=unresolved,
        unevaluated=digest_infrastructure_code(str(root)),
    )


def _digest_file(path: Path) -> str:
    """Return the digest of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _read_plan(path: Path, context: SideContext, *, prior: bool) -> ComparedSide:
    """Read the planned or the prior state of a Terraform plan."""
    data = read_answer_file(str(path), _EXPECTED)
    try:
        plan = parse_terraform_plan(data)
    except ParseError as error:
        raise UsageError(
            f"{path.name}: {error.reason}", _suggest_conversion(path, data)
        ) from None
    resources = plan.before if prior else plan.after
    account = find_planned_account((*plan.before, *plan.after))
    details, unattached = build_account_details(resources, account)
    syncs = [
        _build_account_sync(details, account, path.name, context.now),
        _build_cluster_sync(resources, path.name, context.now),
    ]
    inventory, unresolved = add_default_cluster_roles(_join_syncs(syncs, context.now))
    return ComparedSide(
        inventory,
        unresolved={
            **unresolved,
            **unattached,
            **digest_unknown_objects(resources),
        },
        uncompared=() if prior else plan.uncompared,
        scope=_PLAN,
    )


def _suggest_conversion(path: Path, data: bytes) -> str:
    """Return how to convert a file that is no plan as JSON."""
    if data.startswith((b"PK", b"\x1f\x8b")):  # `terraform plan -out` writes a zip
        return f"run: terraform show -json {path.name} > plan.json"
    return "name a plan as JSON (terraform show -json PLAN > plan.json), or a folder"


def _build_account_sync(
    details: JsonObject, account: str, place: str, now: int
) -> Sync:
    """Build the sync of the AWS resources of a plan."""
    source = "aws:terraform plan"
    encoded = msgspec.json.encode(details)
    parsed = parse_account(encoded, source=source, place=place, now=now)
    return Sync(
        source,
        "aws",
        now,
        parsed.facts,
        problems=parsed.problems,
        collected=COLLECTS,
        held=build_whole_account_coverage({account}),
    )


def _build_cluster_sync(
    resources: Sequence[PlannedResource], place: str, now: int
) -> Sync:
    """Build the sync of the Kubernetes resources of a plan."""
    objects = list(build_kubernetes_objects(resources))
    builder = ClusterBuilder(name=_CHECKOUT_CLUSTER, default_namespace="default")
    source = "k8s:terraform plan"
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    text = msgspec.json.encode(listed).decode()
    cluster = parse_cluster([(place, text)], builder, _CHECKOUT_CLUSTER, source, now)
    return cluster.build_sync(source, (), cluster.problems, now)


def _join_syncs(syncs: Sequence[Sync], now: int) -> Inventory:
    """Join the syncs of a side, as a scan of them would."""
    pairs = [(sync.source, sync) for sync in syncs]
    return join_syncs_into_inventory(pairs, now=now, taken_at=now)
