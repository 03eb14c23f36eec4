"""Scan a live cluster with read-only calls of the official client.

Lists are paged, throttling is waited out, and a kind that is forbidden becomes a
problem. Secrets are asked for only by `secrets=metadata`, and without their data.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import msgspec
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from answerable.connectors.kubernetes.declaration import (
    AWS_AUTH_PATH,
    DECLARATION,
    ISSUER_PATH,
    VERSION_PATH,
)
from answerable.connectors.kubernetes.kinds import KINDS, ObjectKind
from answerable.connectors.kubernetes.parse import ClusterReader, ParsedCluster
from answerable.connectors.kubernetes.parse.cluster_builder import ClusterBuilder
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.kubernetes_ids import normalise_cluster_name
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind

AnswerT = TypeVar("AnswerT")
PAGE_ITEMS = 500
MAX_BYTES = 512 << 20  # of all answers
TIMEOUTS = (10, 60)  # seconds to connect, and between two reads
# An API server names the wait in Retry-After. We go on for as long as this, in seconds.
THROTTLE_LIMIT = 300.0
_LONGEST_WAIT = 30.0
_JSON = "application/json"
_METADATA = "PartialObjectMetadataList"
_METADATA_ACCEPT = f"application/json;as={_METADATA};v=v1;g=meta.k8s.io"
_THROTTLED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class _ListMetadata(msgspec.Struct, rename="camel"):
    """Metadata of a list."""

    continue_: str | None = msgspec.field(default=None, name="continue")


class _ListAnswer(msgspec.Struct, rename="camel"):
    """Head of a list, without its items."""

    kind: str = ""
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)


class _GroupVersion(msgspec.Struct):
    """Version of an API group."""

    version: str = ""


class _GroupAnswer(msgspec.Struct, rename="camel"):
    """Versions of an API group."""

    versions: list[_GroupVersion] = msgspec.field(default_factory=list)


class _VersionAnswer(msgspec.Struct, rename="camel"):
    """Version of the API server."""

    git_version: str = ""


class _IssuerAnswer(msgspec.Struct):
    """Discovery document of the issuer of service account tokens."""

    issuer: str = ""


class _CallFailed(Exception):  # noqa: N818 - handled within this module
    """Call without a usable answer."""

    def __init__(self, kind: ReadProblemKind, what: str, status: int = 0) -> None:
        super().__init__(what)
        self.kind, self.what, self.status = kind, what, status


@dataclass(slots=True)
class _LiveScan:
    """Scan of one cluster."""

    api: "client.ApiClient"
    reader: ClusterReader
    context: SyncContext
    left: int
    probes: list[Probe] = field(default_factory=list)

    def read_kinds(self, kinds: tuple[ObjectKind, ...]) -> None:
        """List every kind; a kind that cannot be listed becomes a problem."""
        for done, kind in enumerate(kinds):
            self.context.progress(done, len(kinds), f"kinds ({kind.plural})")
            try:
                path = self._find_path(kind)
                if path:
                    self._read_list(kind, path)
            except _CallFailed as failed:
                if kind.optional and failed.status == HTTPStatus.NOT_FOUND:
                    self.reader.live_kinds.add(kind.plural)
                    continue
                self._add_problem(f"GET {kind.path}", failed)
                continue
            self.reader.live_kinds.add(kind.plural)

    def _find_path(self, kind: ObjectKind) -> str:
        """Return the path of a kind, of a version that the cluster serves."""
        if not kind.optional:
            return kind.path
        answer = self._get_with_retries(f"/apis/{kind.group}")
        served = [e.version for e in _decode_answer(answer, _GroupAnswer).versions]
        version = kind.version if kind.version in served else (served or [""])[0]
        return f"/apis/{kind.group}/{version}/{kind.plural}" if version else ""

    def _read_list(self, kind: ObjectKind, path: str) -> None:
        """Read all pages of a list."""
        for page, text in enumerate(self._iter_pages(kind, path)):
            number = f"?page={page + 1}" if page else ""
            self.reader.read_page(kind, text, f"GET {path}{number}")
        self.probes.append(Probe(f"GET {path}", kind.plural, True))

    def _iter_pages(self, kind: ObjectKind, path: str) -> Iterator[str]:
        """Yield the text of each page."""
        token: str | None = ""
        while token is not None:
            query = [("limit", str(PAGE_ITEMS))]
            query += [("continue", token)] if token else []
            accept = _METADATA_ACCEPT if kind.metadata_only else _JSON
            text = self._get_with_retries(path, query, accept)
            head = _decode_answer(text, _ListAnswer)
            if kind.metadata_only and head.kind != _METADATA:
                raise _CallFailed(
                    ReadProblemKind.INVALID,
                    "the API server returned more than metadata",
                )
            yield text
            token = head.metadata.continue_ or None

    def read_version(self) -> None:
        """Read the version and the issuer of the cluster, where they may be read."""
        builder = self.reader.builder
        try:
            answer = self._get_with_retries(VERSION_PATH)
            builder.version = _decode_answer(answer, _VersionAnswer).git_version
        except _CallFailed as failed:
            self._add_problem(f"GET {VERSION_PATH}", failed)
        try:
            issuer = _decode_answer(
                self._get_with_retries(ISSUER_PATH), _IssuerAnswer
            ).issuer
            builder.issuer = builder.issuer or issuer.rstrip("/")
        except _CallFailed as failed:
            self._add_problem(f"GET {ISSUER_PATH}", failed)

    def read_aws_auth(self) -> None:
        """Read the ConfigMap aws-auth; a cluster without one has no such rows."""
        try:
            text = self._get_with_retries(AWS_AUTH_PATH)
        except _CallFailed as failed:
            if failed.status == HTTPStatus.NOT_FOUND:
                self.reader.eks.has_aws_auth = True
            else:
                self._add_problem(f"GET {AWS_AUTH_PATH}", failed)
            return
        self.reader.read_text(text, f"GET {AWS_AUTH_PATH}")

    def _get_with_retries(
        self,
        path: str,
        query: list[tuple[str, str]] | None = None,
        accept: str = _JSON,
    ) -> str:
        """Call the API server, and wait while it throttles.

        Raises:
            _CallFailed: It refused the call, or did not answer.
            EnvironmentFailure: The credentials are refused.
        """
        began = time.monotonic()
        while True:
            status, body, retry_after = self._make_call(path, query or [], accept)
            waited = time.monotonic() - began
            if status not in _THROTTLED or waited >= THROTTLE_LIMIT:
                break
            self.context.progress(
                0, 0, f"waiting, because the API server throttles {path}"
            )
            time.sleep(_parse_wait(retry_after))
        if status == HTTPStatus.OK:
            return body
        if status == HTTPStatus.UNAUTHORIZED:
            raise EnvironmentFailure(
                "the API server refused the credentials (401)",
                "check them with: kubectl auth whoami",
            )
        if status == HTTPStatus.FORBIDDEN:
            raise _CallFailed(ReadProblemKind.PERMISSION, "forbidden", status)
        throttled = status in _THROTTLED
        what = "throttled for too long" if throttled else f"HTTP status {status}"
        raise _CallFailed(ReadProblemKind.NETWORK, what, status)

    def _make_call(
        self, path: str, query: list[tuple[str, str]], accept: str
    ) -> tuple[int, str, str]:
        """Make one call; return its status, body and Retry-After."""
        parameters = self.api.param_serialize(
            method="GET",
            resource_path=path,
            query_params=query,
            header_params={"Accept": accept},
            auth_settings=["BearerToken"],
        )
        why = ""
        try:
            answer = self.api.call_api(*parameters, _request_timeout=TIMEOUTS)
            data = answer.read() or b""
        except (HTTPError, OSError, client.ApiException, ValueError) as error:
            why = type(error).__name__  # its message may quote a header
        if why:
            raise _CallFailed(ReadProblemKind.NETWORK, f"no answer ({why})")
        self.left -= len(data)
        if self.left < 0:
            limit = f"more than {MAX_BYTES >> 20} MiB of responses"
            raise _CallFailed(ReadProblemKind.TOO_LARGE, limit)
        retry_after = answer.getheaders().get("Retry-After") or ""
        return int(answer.status), data.decode(errors="replace"), retry_after

    def _add_problem(self, place: str, failed: _CallFailed) -> None:
        """Add the problem of a call."""
        self.reader.builder.problems.append(
            ReadProblem(failed.kind, place, failed.what)
        )


def _decode_answer(text: str, kind: type[AnswerT]) -> AnswerT:
    """Decode an answer.

    Raises:
        _CallFailed: It has another form.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError):
        pass
    raise _CallFailed(ReadProblemKind.INVALID, "not a response of an API server")


def scan_cluster(
    name: str, builder: ClusterBuilder, context: SyncContext, *, with_secrets: bool
) -> tuple[str, ParsedCluster, tuple[Probe, ...]]:
    """Scan a cluster.

    Args:
        name: Context of the kubeconfig; empty for the current one, or the pod's own.
        builder: Cluster with the names that the user states.
        context: Context of the scan.
        with_secrets: Ask for the metadata of Secrets, too.

    Returns:
        The sync's source, the cluster, and the calls that were made.

    Raises:
        UsageError: The context is unknown, or the cluster has no name.
        EnvironmentFailure: No kubeconfig, refused credentials, or no network.
    """
    api, cluster = _open_client(name)
    builder.name = builder.name or normalise_cluster_name(cluster)
    if not builder.name:
        raise UsageError(
            "the cluster has no name (expected cluster=NAME)",
            "in a pod, name the cluster: answerable scan k8s:cluster=NAME",
        )
    scan = _LiveScan(api, ClusterReader(builder), context, MAX_BYTES)
    scan.read_version()
    kinds = tuple(e for e in KINDS if with_secrets or not e.metadata_only)
    scan.read_kinds(kinds)
    scan.read_aws_auth()
    if not scan.reader.live_kinds:
        first = builder.problems[0]
        raise EnvironmentFailure(
            f"the API server refused every list: {first.place}: {first.what}",
            "print the permissions: answerable where --policy clusterrole k8s:",
        )
    source = f"{DECLARATION.name}:{builder.name} (live)"
    parsed = scan.reader.finish(source, f"GET {VERSION_PATH}", context.now)
    return source, parsed, tuple(scan.probes)


def _open_client(name: str) -> tuple["client.ApiClient", str]:
    """Open a client by kubeconfig or the pod's own account, and name its cluster."""
    settings = client.Configuration()
    settings.retries = False  # throttling is waited out here
    # The client reads the variable when it is imported.
    file = os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        contexts, active = config.list_kube_config_contexts(config_file=file)
        chosen = active
        if name:
            chosen = next((e for e in contexts if e.get("name") == name), None)
            if chosen is None:
                raise UsageError(
                    f"the kubeconfig has no context {name[:80]!r}",
                    "list the contexts: kubectl config get-contexts",
                )
        api = config.new_client_from_config(
            config_file=file,
            context=chosen["name"],
            persist_config=False,
            client_configuration=settings,
        )
        return api, str(chosen["context"].get("cluster", ""))
    except (ConfigException, YAMLError, OSError, KeyError, TypeError, ValueError):
        pass
    if not name:
        try:
            config.load_incluster_config(client_configuration=settings)
            return client.ApiClient(settings), ""
        except ConfigException:
            pass
    raise EnvironmentFailure(
        "no kubeconfig with a usable context, and no service account of a pod",
        "set KUBECONFIG, or scan files: answerable scan k8s:FILE",
    )


def _parse_wait(retry_after: str) -> float:
    """Return the seconds to wait."""
    seconds = float(retry_after) if retry_after.isdigit() else 1.0
    return min(max(seconds, 0.1), _LONGEST_WAIT)
