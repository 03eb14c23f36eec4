"""Authlib: an OAuth 2.0 session with a grant that it does not know by name."""

from authlib.integrations.requests_client import OAuth2Session

from tests.sts.foreign.clients.assignment import assignment, show


def main() -> None:
    """Get a token."""
    told = assignment()
    session = OAuth2Session(
        client_id=told["client_id"], token_endpoint_auth_method="none"
    )
    if told["ca"]:
        session.verify = told["ca"]
    if told["certificate"]:
        session.cert = (told["certificate"], told["key"])
    wanted = {"requested_token_type": told["requested_type"], "scope": told["scope"]}
    token = session.fetch_token(
        f"{told['issuer']}/token",
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=told["subject"],
        subject_token_type=told["subject_type"],
        audience=told["audience"],
        **{name: value for name, value in wanted.items() if value},
    )
    show(token["access_token"], token["token_type"])


if __name__ == "__main__":
    main()
