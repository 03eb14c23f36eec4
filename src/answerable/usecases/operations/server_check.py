"""Check a running server by its readiness page and metrics (`doctor --server`)."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from answerable.model.documents.evidence import CheckItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.answer_coverage import build_empty_coverage

# End of a metric's name, its healthy value (or any other), meaning, runbook.
_ALARMS: tuple[tuple[str, float, Literal["is", "not"], str, str], ...] = (
    (
        "unrecorded_total",
        0,
        "is",
        "refused requests that were not recorded",
        "disk-full",
    ),
    ("ship_last_successful", 0, "not", "evidence is shipped", "disk-full"),
    ("workers_ready", 0, "not", "workers are ready", "gateway-down"),
    ("workers_alarmed", 0, "is", "workers that cannot record", "disk-full"),
    (
        "config_last_reload_successful",
        0,
        "not",
        "the last reload succeeded",
        "bad-config",
    ),
    ("policy_missing", 0, "is", "no policy could be loaded", "bad-config"),
    (
        "leaks_total",
        0,
        "is",
        "responses that contained a credential",
        "credential-leaked",
    ),
    ("credentials_refused", 0, "is", "credentials not renewed", "credential-refused"),
    ("sts_ready", 0, "not", "the token service issues tokens", "token-service-down"),
    ("sts_events_dropped", 0, "is", "session events dropped", "token-service-down"),
    (
        "approval_requests_dropped_total",
        0,
        "is",
        "undelivered approval requests",
        "webhook-down",
    ),
    ("collector_late", 0, "is", "late sources", "source-late"),
)


def check_server(
    readiness: tuple[int, str], metrics: tuple[int, str], url: str
) -> Document:
    """Check a server by its pages.

    Args:
        readiness: Status and body of `/readyz`; status 0 and the reason without one.
        metrics: The same of `/metrics`.

    Returns:
        One item per check; failed if the server is not ready.
    """
    status, body = readiness
    items: list[CheckItem] = []
    if not status:
        items.append(_build_check("server", False, f"{url}: {body}", "is it running?"))
    else:
        items.append(_build_check("server", True, url, ""))
        reasons, warnings = _read_reasons(status, body)
        detail = "; ".join(reasons) or "ready"
        items.append(_build_check("ready", status == 200, detail, "see its log"))
        items += [_build_check("warning", False, w, "see its log") for w in warnings]
        items += _check_metrics(metrics)
    failed = not all(i["ok"] for i in items if i["check"] in ("server", "ready"))
    return Document("doctor", items, build_empty_coverage(), failed=failed)


def _read_reasons(status: int, body: str) -> tuple[list[str], list[str]]:
    """Read the reasons and warnings of a readiness page."""
    try:
        page = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        return [f"HTTP status {status}, not a readiness page"], []
    found = [page.get(name) for name in ("reasons", "warnings")]
    reasons, warnings = (
        [str(each) for each in value] if isinstance(value, list) else []
        for value in found
    )
    return reasons, warnings


def _check_metrics(metrics: tuple[int, str]) -> Iterator[CheckItem]:
    """Yield a check of each metric that signals a fault, where the server has it."""
    status, text = metrics
    if status != 200:
        yield _build_check("metrics", False, f"HTTP status {status}", "see its log")
        return
    values = _sum_metrics(text)
    for end, value, how, meaning, runbook in _ALARMS:
        for name, found in values.items():
            if name.endswith(f"_{end}"):
                ok = found == value if how == "is" else found != value
                detail = f"{meaning}: {found:g}" if how == "is" else meaning
                hint = "" if ok else f"docs/runbooks.md#{runbook}"
                yield _build_check(
                    name, ok, detail if ok or how == "is" else "no", hint
                )


def _sum_metrics(text: str) -> dict[str, float]:
    """Sum the time series of each metric."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        series, _, number = line.rpartition(" ")
        if line.startswith("#") or not series:
            continue
        name = series.partition("{")[0]
        try:
            values[name] = values.get(name, 0.0) + float(number)
        except ValueError:
            continue
    return values


def _build_check(name: str, ok: bool, detail: str, hint: str) -> CheckItem:
    """Build the item of one check."""
    return {"check": name, "ok": ok, "detail": detail, "hint": "" if ok else hint}
