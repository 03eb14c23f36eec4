"""The page of the foreign clients: what ran, with which version, and what it got."""

from collections.abc import Iterator, Sequence

from tests.sts.foreign.client_journeys import ClientJourney, version_of

_HEAD = """\
# Third-party clients

Written by `make foreign`; do not edit. Each row is a third-party client, used as
described in its documentation, with a running `answerable serve --only token-service`
on this machine. Each received token was then verified as its audience would verify it:
issuer, audience, agent, person, and the bound key.

| client | version | what it did | token is bound to | result |
|---|---|---|---|---|
"""

_TAIL = """
- *bearer*: not bound to a key, because the client does not send a proof. A rule must
  allow this (`bind: bearer`), and such a token is valid for at most five minutes.
- *none*: an ID-JAG is not an access token. Another token service accepts the ID-JAG
  once.
- Client secrets, which some libraries require, are ignored. Only the token signed by
  the client's platform is used.
- azure-identity requests `AUDIENCE/.default` at `/TENANT/oauth2/v2.0/token`: the
  audience with all scopes that the rule grants. The tenant is ignored.
"""


def page(results: Sequence[tuple[ClientJourney, str]]) -> str:
    """Write the page.

    Args:
        results: Each with why it failed, empty where it did not.
    """
    return _HEAD + "".join(_rows(results)) + _TAIL


def _rows(results: Sequence[tuple[ClientJourney, str]]) -> Iterator[str]:
    for journey, failed in results:
        cells = (
            f"{journey.client} ({journey.registry})",
            version_of(journey),
            journey.does,
            journey.binding,
            "failed" if failed else "works",
        )
        yield f"| {' | '.join(cells)} |\n"
