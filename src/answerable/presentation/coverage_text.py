"""Describe the coverage of an answer: sources, their age, and missing data."""

from collections.abc import Collection, Iterator, Sequence

from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.inventory import REMOVALS
from answerable.presentation.relative_time import format_age
from answerable.presentation.text import sanitize, shorten_end

# Coverage words in plain language, and the source that would supply them.
_WORDS = {
    "identity-policies": ("identity policies", "aws"),
    "boundaries": ("permissions boundaries", "aws"),
    "role-trust": ("role trust", "aws"),
    "roles": ("roles", "pg"),
    "schemas": ("schemas", "pg"),
    "database-grants": ("grants on databases", "pg"),
    "k8s-namespaces": ("namespaces", "k8s"),
    "k8s-nodes": ("nodes", "k8s"),
    "k8s-serviceaccounts": ("service accounts", "k8s"),
    "k8s-secrets": ("secrets by name", "k8s"),
    "k8s-services": ("services", "k8s"),
    "k8s-pods": ("pods", "k8s"),
    "k8s-deployments": ("deployments", "k8s"),
    "k8s-statefulsets": ("stateful sets", "k8s"),
    "k8s-daemonsets": ("daemon sets", "k8s"),
    "k8s-jobs": ("jobs", "k8s"),
    "k8s-cronjobs": ("cron jobs", "k8s"),
    "k8s-clusterroles": ("cluster roles", "k8s"),
    "k8s-clusterrolebindings": ("cluster role bindings", "k8s"),
    "k8s-roles": ("namespaced roles", "k8s"),
    "k8s-rolebindings": ("role bindings", "k8s"),
    "k8s-certificatesigningrequests": ("certificate signing requests", "k8s"),
    "k8s-validatingwebhookconfigurations": ("validating webhooks", "k8s"),
    "k8s-mutatingwebhookconfigurations": ("mutating webhooks", "k8s"),
    "k8s-agents": ("kagent agents", "k8s"),
    "k8s-modelconfigs": ("kagent model configurations", "k8s"),
    "k8s-remotemcpservers": ("kagent remote MCP servers", "k8s"),
    "k8s-mcpservers": ("kagent MCP servers", "k8s"),
    "k8s-sandboxes": ("agent sandboxes", "k8s"),
    "k8s-access-entries": ("EKS access entries", "k8s"),
    "k8s-aws-auth": ("ConfigMap aws-auth", "k8s"),
    "k8s-pod-identity-associations": ("EKS Pod Identity associations", "k8s"),
    "github-organization": ("organization settings", "github"),
    "github-members": ("members", "github"),
    "github-teams": ("teams", "github"),
    "github-organization-roles": ("organization roles", "github"),
    "github-repository-roles": ("custom repository roles", "github"),
    "github-rulesets": ("rulesets", "github"),
    "github-secrets": ("Actions secrets by name", "github"),
    "github-actions-permissions": ("Actions settings", "github"),
    "github-oidc-templates": ("OIDC subject templates", "github"),
    "github-runner-groups": ("self-hosted runners", "github"),
    "github-installations": ("installed apps", "github"),
    "github-fine-grained-tokens": ("fine-grained tokens", "github"),
    "github-repositories": ("repositories", "github"),
    "github-collaborators": ("collaborators", "github"),
    "github-repository-teams": ("teams of repositories", "github"),
    "github-branches": ("branches", "github"),
    "github-branch-protections": ("branch protection", "github"),
    "github-environments": ("environments", "github"),
    "github-deploy-keys": ("deploy keys", "github"),
    "github-workflows": ("workflow files", "github"),
    "github-codeowners": ("CODEOWNERS", "github"),
    "foreign-graph": ("graphs of other collectors", "opengraph"),
    "people": ("people", "people"),
    "leavers": ("leavers", "people"),
    "managers": ("managers", "people"),
    "access-keys": ("access keys", "aws-keys"),
    "organization": ("organization", "aws-org"),
    "scp": ("SCPs", "aws-org"),
    "rcp": ("RCPs", "aws-org"),
    "resource-policies": ("resource policies", "aws-resources"),
    "resource-tags": ("resource tags", "aws-resources"),
    "public-access-block": ("public-access blocks", "aws-resources"),
    "s3-access-points": ("S3 access points", "aws-resources"),
    "kms-grants": ("KMS grants", "aws-resources"),
    "running-code": ("running code", "aws-resources"),
    "passed-roles": ("roles passed to services without a rule", ""),
    "gcp-iam-policies": ("allow policies", "gcp"),
    "gcp-resources": ("resources and workloads", "gcp"),
    "gcp-custom-roles": ("custom roles", "gcp"),
    "gcp-roles": ("predefined roles", "gcp-roles"),
    "gcp-deny-policies": ("deny policies", "gcp"),
    "gcp-access-boundaries": ("principal access boundaries", "gcp"),
    "gcp-groups": ("members of groups", "gcp"),
    "gcp-service-accounts": ("service accounts", "gcp"),
    "gcp-service-account-keys": ("service account keys", "gcp"),
    "gcp-workload-pools": ("workload identity pools", "gcp"),
    "gcp-org-policies": ("organization policies", "gcp"),
    "gcp-tags": ("tags", "gcp"),
    "azure-role-assignments": ("role assignments", "azure"),
    "azure-role-definitions": ("role definitions", "azure"),
    "azure-deny-assignments": ("deny assignments", "azure"),
    "session-policies": ("session policies", ""),
    "endpoint-policies": ("endpoint policies", ""),
    "last-used": ("last use", "aws"),
    "agent-configs": ("agent configs", "home"),
    "ambient-credentials": ("ambient credentials", "home"),
    "workflows": ("workflows", "repo"),
    "codeowners": ("CODEOWNERS", "repo"),
    "cloudtrail": ("CloudTrail", "cloudtrail"),
    "k8s-audit": ("Kubernetes audit log", "k8s-audit"),
    "github-audit": ("GitHub audit log", "github-audit"),
    "gcp-audit": ("Google Cloud audit log", "gcp-audit"),
    "azure-activity": ("Azure activity log", "azure-activity"),
    "entra": ("Entra logs", "entra"),
    "okta": ("Okta System Log", "okta"),
    "anthropic-audit": ("Anthropic activities", "anthropic-audit"),
    "openai-audit": ("OpenAI audit log", "openai-audit"),
    "bedrock": ("Bedrock invocation log", "bedrock"),
    "claude-code": ("Claude Code session files", "claude-code"),
    "otel": ("OpenTelemetry of agents", "otel"),
    "gateway": ("gateway records", ""),
    "data-events": ("data events", "cloudtrail"),
    "s3-acls": ("S3 ACLs", ""),
    "paths": ("paths through other identities", ""),
    "cross-platform-steps": ("steps between platforms", ""),
    "action-catalogue": ("the catalogue entry of this action", ""),
}
# Sources that `ingest` reads; `scan` reads the others.
_INGESTED = (
    "cloudtrail",
    "k8s-audit",
    "github-audit",
    "gcp-audit",
    "azure-activity",
    "entra",
    "okta",
    "anthropic-audit",
    "openai-audit",
    "bedrock",
    "claude-code",
    "otel",
)
_PRINCIPAL = "principal not collected"
# No source has these: the query may state them.
_STATED = ("session-policies", "endpoint-policies")


_LONGEST = 200  # characters; longer lists of missing data are counted
_MOST = 3  # kinds that are named per source
_MAX_FREE_TEXT = 60  # characters of a text that is no kind of the table


def build_coverage_line_parts(coverage: CoverageRecord) -> list[str]:
    """Return the parts of the coverage line: sources with age and missing data.

    Lists are cut to fit the line and counted, except for removed events;
    `list_full_coverage` has all entries.
    """
    removed = sum(len(each) for each in coverage["not_collected"] if _is_removal(each))
    for most in (_MOST, 1):
        said = _build_coverage_parts(coverage, most)
        if sum(map(len, said)) <= _LONGEST + removed:
            return said
    return _build_coverage_parts(coverage, 0)


def _build_coverage_parts(coverage: CoverageRecord, limit: int) -> list[str]:
    """Build the parts; list at most `limit` kinds of missing data per source."""
    ages = _get_oldest_age_by_kind(coverage)
    words = coverage["not_collected"]
    homes = {word: _select_heading_source(word, ages) for word in words}
    said = _describe_shown_share(coverage)
    for name, oldest in ages.items():
        own = [word for word in words if homes[word] == name]
        part = f"{sanitize(name)} {format_age(oldest)}"
        said.append(
            part
            + (f" ({_summarize_missing_data(own, limit)} not collected)" if own else "")
        )
    said += _describe_ingested_logs(coverage, ages)
    rest = [word for word in words if not homes[word] and not _is_removal(word)]
    said += [f"{name} not scanned" for name in _list_unscanned_platforms(rest)]
    rest = [word for word in rest if not _list_unscanned_platforms([word])]
    stated = [word for word in rest if word in _STATED]
    rest = [word for word in rest if word not in _STATED]
    if rest:
        said.append(f"{_summarize_missing_data(rest, limit)} not collected")
    if stated:
        said.append(f"{_describe_missing_entries(stated)} not stated")
    # Never counted among other missing data: the events may decide an answer.
    said += [sanitize(word) for word in words if _is_removal(word)]
    if conflicts := len(coverage.get("conflicts", ())):
        events = "1 event has" if conflicts == 1 else f"{conflicts:,} events have"
        said.append(f"{events} records with different content")
    for each in coverage.get("clocks_ahead", ()):
        said.append(sanitize(f"clock ahead: {each}"))
    if coverage["partial"]:
        said.append("partial: a source could not be read completely")
    return said


def _is_removal(entry: str) -> bool:
    """Return whether an entry describes events that a policy removed."""
    return any(words in entry for words in REMOVALS.values())


def _describe_shown_share(coverage: CoverageRecord) -> list[str]:
    """Describe how much of a list is shown, if it is cut."""
    shown = coverage.get("shown")
    if shown is None:
        return []
    rows = f"first {shown['rows']:,} rows"
    return [f"{rows}, from {shown['done']:,} of {shown['of']:,} {shown['what']}"]


def _describe_ingested_logs(
    coverage: CoverageRecord, ages: Collection[str]
) -> list[str]:
    """Describe the ingested audit logs: they are no scanned source and have no age."""
    return [
        spoken
        for word, (spoken, source) in _WORDS.items()
        if word == source and word in coverage["seen"] and word not in ages
    ]


def _list_unscanned_platforms(entries: Sequence[str]) -> list[str]:
    """List platforms with missing data and no scanned source."""
    sources = (_WORDS.get(get_coverage_kind(word), ("", ""))[1] for word in entries)
    families = (source.partition("-")[0] for source in sources)
    return [f for f in dict.fromkeys(families) if f and f not in _INGESTED]


def _summarize_missing_data(entries: Sequence[str], limit: int) -> str:
    """Name the kinds of missing data, and count the others and their places."""
    kinds: dict[str, list[str]] = {}
    for word in entries:
        bare = get_coverage_kind(word)
        key = bare if bare in _WORDS else _get_summary_kind(word)
        kinds.setdefault(key, []).append(word)
    named = [_format_missing_kind(key, each) for key, each in kinds.items()]
    if len(named) == limit + 1 and limit:
        return ", ".join(named)  # one more takes no more room than its count
    more = len(named) - limit
    if more <= 0:
        return ", ".join(named)
    return ", ".join(
        [
            *named[:limit],
            f"{more} more" if limit else f"{more} kind{'s' if more > 1 else ''}",
        ]
    )


def _get_summary_kind(entry: str) -> str:
    """Return the kind under which an entry of missing data is summarized."""
    return _PRINCIPAL if entry.endswith(f": {_PRINCIPAL}") else entry


def _format_missing_kind(key: str, entries: Sequence[str]) -> str:
    """Format a kind of missing data, with the number of its places."""
    if key == _PRINCIPAL:
        count = len(entries)
        return f"{count:,} principals" if count > 1 else "1 principal"
    if key not in _WORDS:
        return shorten_end(sanitize(key), _MAX_FREE_TEXT, "...")
    if len(entries) == 1:
        return _describe_missing_entry(entries[0])
    return f"{_WORDS[key][0]} of {len(entries):,} places"


def list_full_coverage(coverage: CoverageRecord) -> list[str]:
    """List the full coverage, a line each: sources, seen data, missing data."""
    lines = []
    for source in coverage["sources"]:
        age = format_age(source["age_s"]) if source["at"] else "never read"
        lines.append(f"{sanitize(source['source'])}: {age}")
        lines += [f"  problem: {sanitize(problem)}" for problem in source["problems"]]
    lines += [
        f"collected: {_describe_missing_entry(word)}" for word in coverage["seen"]
    ]
    for word in coverage["not_collected"]:
        state = "not stated" if word in _STATED else "not collected"
        lines.append(f"{state}: {_describe_missing_entry(word)}")
    return [*lines, *_list_recorded_data(coverage)]


def _list_recorded_data(coverage: CoverageRecord) -> Iterator[str]:
    """List what each log recorded, and what it cannot contain."""
    for each in coverage.get("recorded", ()):
        regions = [found["region"] for found in each["regions"] if found["region"]]
        parts = [f"{each['first']} to {each['last']}"]
        if without := each["days_without"]:
            parts.append(f"{without:,} days without events in between")
        if regions:
            parts.append(f"regions {', '.join(regions)}")
        yield sanitize(f"recorded: {each['account']}: {'; '.join(parts)}")
    for account, services in coverage.get("data_events", {}).items():
        named = ", ".join(services) or "no service"
        yield sanitize(f"recorded: data events of {named} in {account or 'no account'}")
    for log in coverage.get("clocks_ahead", ()):
        yield sanitize(f"clock is ahead: the newest event of {log} is in the future")
    if gaps := coverage.get("record_gaps", 0):
        yield f"missing: {gaps:,} gaps in the record numbers of gateways"
    for event_id in coverage.get("conflicts", ()):
        yield f"conflict: event {event_id} has records with different content"
    for log, limit in coverage.get("log_limits", {}).items():
        yield f"never in {log}: {limit}"


def describe_missing_data(coverage: CoverageRecord) -> str:
    """Name all missing data in plain language."""
    return _describe_missing_entries(coverage["not_collected"])


def describe_collecting_commands(entries: Sequence[str]) -> str:
    """Name missing data with the commands that collect it; empty for none."""
    return ", ".join(map(_describe_collecting_command, entries))


def _describe_collecting_command(entry: str) -> str:
    """Name one kind of missing data with the command that collects it."""
    name, source = _WORDS.get(get_coverage_kind(entry), (sanitize(entry), ""))
    verb = "ingest" if source in _INGESTED else "scan"
    return f"{name} (answerable {verb} {source}:)" if source else name


def _get_oldest_age_by_kind(coverage: CoverageRecord) -> dict[str, int]:
    """Return the oldest age of each kind of source that was read."""
    ages: dict[str, int] = {}
    for source in coverage["sources"]:
        name = source["source"].partition(":")[0]
        if source["at"]:
            ages[name] = max(ages.get(name, 0), source["age_s"])
    return ages


def _select_heading_source(entry: str, names: Collection[str]) -> str:
    """Select the scanned source under which to list an entry; empty for none."""
    source = _WORDS.get(get_coverage_kind(entry), ("", ""))[1]
    family = source.partition("-")[0]
    return next((name for name in (source, family) if name and name in names), "")


def _describe_missing_entries(entries: list[str]) -> str:
    """Describe entries of missing data, separated by commas."""
    return ", ".join(_describe_missing_entry(word) for word in entries)


def get_coverage_kind(entry: str) -> str:
    """Return the kind of a missing-data entry: `scp (account 1)` gives `scp`."""
    return entry.partition(" (")[0]


def _describe_missing_entry(entry: str) -> str:
    """Describe an entry of missing data, with its account."""
    bare = get_coverage_kind(entry)
    if bare not in _WORDS:
        return sanitize(entry)
    place = entry.removeprefix(bare).strip(" ()")
    return _WORDS[bare][0] + (f" of {sanitize(place)}" if place else "")
