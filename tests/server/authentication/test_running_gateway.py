"""A client of another hand, `requests`, proves itself to a gateway that runs."""

import time
from pathlib import Path

import pytest
import requests

from tests.federation.sample_tokens import OTHER_EC
from tests.gateway.request_builders import NAME, VERSION, body
from tests.gateway.serve.running_gateway import (
    backend,
    configuration,
    serving,
    token_of,
)
from tests.server.authentication.token_builders import proof, thumbprint


class Client:
    """Signs each request, and takes up the nonce that it is given (RFC 9449 8.2)."""

    def __init__(self, where: str) -> None:
        self.url = f"http://{where}/mcp/files"
        self.token = token_of("ana", cnf={"jkt": thumbprint(OTHER_EC)})
        self.nonce: object = ...

    def proof(self) -> str:
        now = int(time.time())
        facts = {"htu": self.url, "iat": now, "nonce": self.nonce}
        return proof(self.token, OTHER_EC, **facts)

    def post(self, dpop: str) -> requests.Response:
        fields = {
            "Authorization": f"DPoP {self.token}",
            "DPoP": dpop,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "read",
        }
        asked = body("tools/call", NAME | {"name": "read"})
        return requests.post(self.url, asked, headers=fields, timeout=60)

    def call(self) -> requests.Response:
        answer = self.post(self.proof())
        if "DPoP-Nonce" in answer.headers:
            self.nonce = answer.headers["DPoP-Nonce"]
            answer = self.post(self.proof())
        return answer


@pytest.mark.parametrize("workers", [1, 2])
def test_a_proof_is_good_once_at_whichever_worker(tmp_path: Path, workers: int) -> None:
    with backend() as server:
        made = configuration(server.server_port)
        made["listen"]["workers"] = workers
        with serving(tmp_path, made) as served:
            client = Client(served.gateway)
            assert client.call().json()["result"]
            shown = client.proof()
            taken = [client.post(shown).status_code for _ in range(8)]
            assert sorted(taken) == [200] + [401] * 7
            assert server.calls.count("read") == 2
            # Found as a client finds it: the answer says where, and that says who.
            refused = requests.post(client.url, b"", timeout=60)
            said = refused.headers["WWW-Authenticate"]
            place = said.split('resource_metadata="')[1].split('"')[0]
            found = requests.get(place, timeout=60).json()
            assert found["resource"] == client.url
        secrets = [*client.token.split("."), *shown.split(".")]
        assert not [each for each in secrets if each in str(served.log)]
