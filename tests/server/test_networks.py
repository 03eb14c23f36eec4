"""From where a connection comes."""

import pytest

from answerable.server.client_network import network_of_address


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.31.9.9", "172.16.0.0/12"),
        ("172.32.9.9", "172.32.9.0/24"),
        ("::ffff:192.168.7.7", "192.168.0.0/16"),
        ("fd00::7", "fc00::/7"),
        ("169.254.1.1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("8.8.4.4", "8.8.4.0/24"),
        ("2001:4860:4860::8888", "2001:4860:4860::/48"),
        ("", ""),
        ("a.sock", ""),
    ],
)
def test_an_address_is_of_a_network_and_anything_else_of_none(
    host: str, network: str
) -> None:
    assert network_of_address(host) == network
