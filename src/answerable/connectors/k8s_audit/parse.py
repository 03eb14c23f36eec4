"""Parse Kubernetes audit events; see `formats.kubernetes_audit` for the mapping.

A record does not name its cluster, so the location does: `cluster=NAME`, with the name
that the inventory has for it. Each stage of a request is a record of its own.
"""

from answerable.connectors.formats.kubernetes_audit import (
    KubernetesAuditRecord,
    add_kind_and_version,
    is_kubernetes_audit_event,
    read_kubernetes_record,
)
from answerable.connectors.formats.log_entry import LogEntry, build_record_parser
from answerable.connectors.formats.log_format import (
    LOG_FILE_SUFFIXES,
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.connectors.k8s_audit.declaration import DECLARATION
from answerable.model.errors import UsageError
from answerable.model.kubernetes_ids import normalise_cluster_name


def _read_record(
    record: KubernetesAuditRecord, options: LogOptions
) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    if not is_kubernetes_audit_event(record):
        return RecordRefused("not a Kubernetes audit event: it has no kind or verb")
    return read_kubernetes_record(record, normalise_cluster_name(options["cluster"]))


def _check_options(options: LogOptions) -> None:
    """Require the name of the cluster."""
    if not options.get("cluster"):
        raise UsageError(
            "the cluster is missing (expected k8s-audit:PATH,cluster=NAME)",
            "audit records do not name their cluster; use the same name as for `scan "
            "k8s:`",
        )


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Kubernetes audit",
    build_record_parser(
        DECLARATION,
        KubernetesAuditRecord,
        _read_record,
        ("user", "impersonatedUser"),
        add_kind_and_version,
    ),
    lists=("items",),
    suffixes=(*LOG_FILE_SUFFIXES, ".log"),
    content_members=(b"requestObject", b"responseObject"),
    check_options=_check_options,
)
