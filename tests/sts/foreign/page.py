"""The page of the foreign clients: what ran, with which version, and what it got."""

from collections.abc import Iterator, Sequence

from tests.sts.foreign.client_journeys import ClientJourney, version_of

_HEAD = """\
# Foreign clients

Written by `make foreign`; do not edit. Each row is a client of somebody else, run as its
documentation shows against a running `answerable serve --only token-service` on this machine. What
it got was then verified as its audience would verify it: issuer, audience, agent, person,
and the key that it is bound to.

| client | version | what it did | token is bound to | result |
|---|---|---|---|---|
"""

_TAIL = """
- *bearer*: bound to no key, since the client shows none. A rule has to allow that
  (`bind: bearer`), and such a token lives five minutes at most.
- *none*: an ID-JAG is no access token. Another token service takes it, once.
- Client secrets, which some libraries insist on, are left unread. What counts is what the
  client's platform signed.
- azure-identity asks for `AUDIENCE/.default` at `/TENANT/oauth2/v2.0/token`: the audience
  with every scope that the rule gives. The tenant says nothing here.
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
