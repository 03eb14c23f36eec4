"""Unknown permissions, the source that would tell, and the places looked at."""

from answerable.model.document_unknown import LookedItem, UnknownItem

_PLATFORMS = {
    "aws": "AWS",
    "gcp": "Google Cloud",
    "k8s": "Kubernetes",
    "github": "GitHub",
    "entra": "Entra ID",
    "azure": "Azure",
    "okta": "Okta",
}
_MOST = 8


def would_tell(item: UnknownItem) -> str:
    """Say why, and name the source."""
    source = item["source"]
    return f"{item['because']} ({source}: would tell)" if source else item["because"]


def looked(item: LookedItem) -> str:
    """Say over which identities, accounts and platforms a list looked."""
    apart = [
        f"{each['count']:,} of kind {each['kind']}"
        + (f" ({each['source']}: would tell)" if each["source"] else "")
        for each in item["not_evaluated"]
    ]
    if not item["identities"]:
        said = "looked at no identity: no account was scanned (aws: would tell)"
    else:
        platforms = ", ".join(_PLATFORMS.get(each, each) for each in item["platforms"])
        accounts = item["accounts"]
        more = len(accounts) - _MOST
        shown = ", ".join(accounts[:_MOST]) + (
            f" and {more:,} more" if more > 0 else ""
        )
        said = (
            f"looked at {_many(item['identities'], 'identity', 'identities')} of "
            f"{platforms} in {_many(len(accounts), 'account', 'accounts')}: {shown}"
        )
    return said + (f"; not evaluated: {', '.join(apart)}" if apart else "")


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
