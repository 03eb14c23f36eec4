"""Describe why a permission is unknown: the missing source and searched places."""

from answerable.model.documents.not_known import SearchScopeItem, UncollectedSubjectItem

_PLATFORMS = {
    "aws": "AWS",
    "gcp": "Google Cloud",
    "k8s": "Kubernetes",
    "github": "GitHub",
    "entra": "Entra ID",
    "azure": "Azure",
    "okta": "Okta",
    "postgres": "PostgreSQL",
}
# By `scan` source: where its identities are; an account for all others.
_COLLECTED = {"pg": "server", "k8s": "cluster", "github": "organization"}
_MOST = 8


def describe_unknown_verdict(item: UncollectedSubjectItem) -> str:
    """Describe why a verdict is unknown, and name the source that has to be scanned."""
    source = item["source"]
    return (
        f"{item['because']} ({source}: would supply it)" if source else item["because"]
    )


def describe_searched_scope(item: SearchScopeItem) -> str:
    """Describe the identities, accounts and platforms that a list covers."""
    apart = [
        f"{each['count']:,} of kind {each['kind']}"
        + (f" ({each['source']}: would supply it)" if each["source"] else "")
        for each in item["not_evaluated"]
    ]
    if not item["identities"]:
        said = (
            f"no identity was evaluated: no {_COLLECTED.get(item['source'], 'account')} "
            f"was scanned ({item['source']}: would supply it)"
        )
    else:
        platforms = ", ".join(_PLATFORMS.get(each, each) for each in item["platforms"])
        accounts = item["accounts"]
        more = len(accounts) - _MOST
        shown = ", ".join(accounts[:_MOST]) + (
            f" and {more:,} more" if more > 0 else ""
        )
        said = (
            "evaluated "
            f"{_format_count(item['identities'], 'identity', 'identities')} of "
            f"{platforms} in "
            f"{_format_count(len(accounts), 'account', 'accounts')}: {shown}"
        )
    return said + (f"; not evaluated: {', '.join(apart)}" if apart else "")


def _format_count(count: int, singular: str, plural: str) -> str:
    """Format a count with the singular or the plural of its noun."""
    return f"{count:,} {singular if count == 1 else plural}"
