"""Users of kubeconfig files: by their client certificate, in the spelling of `k8s:`."""

import base64
import datetime

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.kubeconfig import parse_kubeconfig
from answerable.model.provenance import WrittenBy

EKS = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"


def certificate(common_name: str) -> str:
    """A client certificate of a user, as a kubeconfig holds it."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
    )
    pem = builder.sign(key, algorithm=None).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem).decode()


def identities(cluster: str, user: dict[str, str]) -> list[str]:
    """Identities of a kubeconfig with one context."""
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": cluster, "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    context = SightingContext(
        "home:/h", "home:/h", WrittenBy.SELF_REPORTED, 1, lambda text: "f"
    )
    facts = AmbientFacts()
    source = AmbientFileSource("/h/.kube/config", context)
    parse_kubeconfig(yaml.safe_dump(config).encode(), source, facts)
    return [str(each.identity) for each in facts.links]


def test_a_client_certificate_names_its_user() -> None:
    user = {"client-key-data": "a2V5", "client-certificate-data": certificate("ana")}
    assert identities("dev", user) == ["k8s:dev/user/ana"]


def test_a_certificate_that_cannot_be_read_leaves_the_name_of_the_entry() -> None:
    user = {"client-key-data": "a2V5", "client-certificate-data": "AAAA"}
    assert identities("dev", user) == ["k8s:dev/user/u"]


def test_an_eks_cluster_has_the_name_that_a_scan_gives_it() -> None:
    assert identities(EKS, {"token": "x"}) == ["k8s:prod.eu-west-1.111122223333/user/u"]


def test_a_name_with_a_slash_is_escaped() -> None:
    assert identities("a/b", {"token": "x"}) == ["k8s:a%2Fb/user/u"]
