"""Read one Kubernetes cluster: from files, or live through the official client."""

from collections.abc import Iterator
from pathlib import PurePath

from answerable.connectors.api_response_file import (
    MAX_ANSWER_BYTES,
    read_answer_file,
)
from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.kubernetes.declaration import (
    AWS_AUTH_PATH,
    DECLARATION,
    ISSUER_PATH,
    LISTED_KINDS,
    SECRETS,
    VERSION_PATH,
)
from answerable.connectors.kubernetes.kinds import KINDS
from answerable.connectors.kubernetes.parse import EXPECTED_KIND, parse
from answerable.connectors.kubernetes.parse.cluster_builder import ClusterBuilder
from answerable.connectors.response_locations import (
    parse_paths_and_options,
    probe_answer_files,
)
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.kubernetes_ids import normalise_cluster_name
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind, Sync

_SUFFIXES = (".json", ".yaml", ".yml")
MAX_FILE_BYTES = 256 << 20
_HINT = (
    "collect with: kubectl get pods,serviceaccounts,... -A -o json (docs/kubernetes.md)"
)


def sync(location: str, context: SyncContext) -> Sync:
    """Read one cluster; unreadable parts are listed in `problems`.

    Args:
        location: Files and folders with commas between them, and options; live if it
            names no path.
        context: Context of the scan.

    Raises:
        UsageError: A location is missing, or has no Kubernetes object.
        EnvironmentFailure: A file is not readable; live: no kubeconfig, refused
            credentials, or the client is not installed.
    """
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    builder = ClusterBuilder(
        name=normalise_cluster_name(options.get("cluster", "")),
        default_namespace=options.get("namespace") or "default",
    )
    if not paths:
        return _sync_live(options, builder, context)
    for word in ("context", SECRETS):
        if word in options:
            raise UsageError(
                f"{word}= is only for live scans (got {paths[0]!r} too)",
                "a source names either files or a context, not both",
            )
    source = f"{DECLARATION.name}:{location}"
    folder_problems: list[ReadProblem] = []
    places = [
        p
        for path in paths
        for p, _ in iterate_answer_files(path, _SUFFIXES, folder_problems)
    ]
    if not places:
        raise UsageError(f"{source}: no file with Kubernetes objects", _HINT)
    files = _ClusterFiles(places, builder)
    fallback = normalise_cluster_name(PurePath(paths[0]).stem.lower())
    parsed = parse(files, builder, fallback, source, context.now)
    if not parsed.recognised:
        why = f": {parsed.problems[0].what}" if parsed.problems else ""
        raise UsageError(f"{source} has no supported object{why}", _HINT)
    probes = tuple(Probe(place, EXPECTED_KIND, True) for place in places)
    problems = (*folder_problems, *parsed.problems)
    return parsed.build_sync(source, probes, problems, context.now)


def read_checkout(folder: str, cluster: str, now: int) -> Sync:
    """Read the manifests of a checkout, which may have none.

    Args:
        cluster: Name of the cluster in ids.
        now: UTC nanoseconds.

    Raises:
        UsageError: The folder is missing.
    """
    builder = ClusterBuilder(name=cluster, default_namespace="default")
    problems: list[ReadProblem] = []
    places = [p for p, _ in iterate_answer_files(folder, _SUFFIXES, problems)]
    source = f"{DECLARATION.name}:{folder}"
    parsed = parse(_ClusterFiles(places, builder), builder, cluster, source, now)
    return parsed.build_sync(source, (), (*problems, *parsed.problems), now)


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    if paths:
        return probe_answer_files(paths, _SUFFIXES, EXPECTED_KIND)
    kinds = KINDS if SECRETS in options else LISTED_KINDS
    return (
        Probe(f"GET {VERSION_PATH}", "the version", None),
        Probe(f"GET {ISSUER_PATH}", "the issuer of tokens", None),
        *(
            Probe(
                f"GET {each.path}",
                f"{each.plural}{' (metadata only)' if each.metadata_only else ''}",
                None,
            )
            for each in kinds
        ),
        Probe(f"GET {AWS_AUTH_PATH}", "AWS identities of an EKS cluster", None),
    )


def _sync_live(
    options: dict[str, str], builder: ClusterBuilder, context: SyncContext
) -> Sync:
    """Scan a live cluster, after checking that the client is installed."""
    asked = options.get(SECRETS, "")
    if asked not in ("", "metadata"):
        raise UsageError(
            f"invalid value for secrets= (got {asked[:40]!r}, expected metadata)",
            "values are never read; without secrets=, only references to Secrets "
            "are known",
        )
    try:
        from answerable.connectors.kubernetes.live_scan import scan_cluster
    except ModuleNotFoundError as error:
        if error.name not in ("kubernetes", "urllib3"):
            raise
        raise EnvironmentFailure(
            "a live scan of Kubernetes needs its client, which is not installed",
            "pip install 'answerable[k8s]'",
        ) from None
    source, parsed, probes = scan_cluster(
        options.get("context", ""), builder, context, with_secrets=bool(asked)
    )
    return parsed.build_sync(source, probes, parsed.problems, context.now)


class _ClusterFiles:
    """Files of one cluster, read one after the other.

    Args:
        places: Paths.
        builder: Cluster that gets the problems.
    """

    def __init__(self, places: list[str], builder: ClusterBuilder) -> None:
        self._places = places
        self._builder = builder

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the text of each file that can be read."""
        left = MAX_ANSWER_BYTES
        for place in self._places:
            text = self._read_text(place, min(left, MAX_FILE_BYTES))
            if text is not None:
                left -= len(text)
                yield place, text

    def _read_text(self, place: str, limit: int) -> str | None:
        """Read and decode a file; None and a problem if it is too large or no text."""
        path = expand_user_path(place)
        try:
            size = path.stat().st_size
        except (OSError, ValueError):
            size = 0
        if size > limit:
            what = f"larger than {limit >> 20} MiB; split it by kind or namespace"
            self._add_unread_file(ReadProblemKind.TOO_LARGE, place, what)
            return None
        data = read_answer_file(place, EXPECTED_KIND, limit)
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        try:
            return data.decode("utf-16" if wide else "utf-8-sig")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (offset {error.start})"
            self._add_unread_file(ReadProblemKind.INVALID, place, what)
            return None

    def _add_unread_file(self, kind: ReadProblemKind, place: str, what: str) -> None:
        """Add the problem of a file that is not read."""
        self._builder.problems.append(ReadProblem(kind, place, what))
        self._builder.unread.append(place)
