"""Device flow (RFC 8628), on a clock that only pauses move."""

import pytest

from answerable.federation.oidc_login.device_polling import MAX_POLLING, DevicePolling
from answerable.federation.oidc_login.errors import LoginFailed
from answerable.model.errors import EnvironmentFailure
from tests.sts.login.conftest import LoginSetup
from tests.sts.login.fake_provider import DEVICE_CODE

PENDING = (400, {"error": "authorization_pending"})
SLOW_DOWN = (400, {"error": "slow_down"})


def refused(stage: LoginSetup) -> str:
    with pytest.raises(LoginFailed) as caught:
        stage.sign_in(device=True)
    assert "\n" not in caught.value.message
    assert DEVICE_CODE not in caught.value.message
    return caught.value.message


def test_a_person_signs_in_with_another_device(stage: LoginSetup):
    stage.provider.polls = [PENDING, PENDING]
    logged_in = stage.sign_in(device=True)
    assert logged_in.person == "person:ana@example.com"
    assert logged_in.id_token == stage.provider.given[-1]
    assert stage.slept == [5, 5, 5]


def test_the_person_is_told_page_and_code_and_never_the_device_code(stage: LoginSetup):
    stage.sign_in(device=True)
    told = "\n".join(stage.told)
    assert f"{stage.provider.iss}/enter?code=WDJB-MJHT" in told
    assert "code: WDJB-MJHT" in told
    assert DEVICE_CODE not in told
    assert "redirect_uri" not in stage.provider.asked


def test_without_a_whole_address_the_page_alone_is_told(stage: LoginSetup):
    stage.provider.device = {"verification_uri_complete": "javascript:alert(1)"}
    stage.sign_in(device=True)
    assert f"  {stage.provider.iss}/enter" in stage.told


def test_slow_down_holds_for_every_later_question(stage: LoginSetup):
    stage.provider.polls = [PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, PENDING]
    stage.sign_in(device=True)
    assert stage.slept == [5, 5, 10, 10, 15, 15]


def test_the_provider_s_interval_is_kept(stage: LoginSetup):
    stage.provider.device = {"interval": 7}
    stage.sign_in(device=True)
    assert stage.slept == [7]


def test_nobody_comes_while_the_code_is_good(stage: LoginSetup):
    stage.provider.device = {"expires_in": 17}
    stage.provider.polls = [PENDING] * 99
    assert "the code expired before you signed in" in refused(stage)
    assert stage.slept == [5, 5, 5, 2]


def test_a_code_that_never_ends_is_waited_for_a_quarter_of_an_hour(stage: LoginSetup):
    stage.provider.device = {"expires_in": 10**9}
    stage.provider.polls = [PENDING] * 999
    assert "the code expired before you signed in" in refused(stage)
    assert sum(stage.slept) == MAX_POLLING


def test_an_interval_beyond_the_end_asks_once_at_the_end(stage: LoginSetup):
    stage.provider.device = {"interval": 10**9}
    stage.sign_in(device=True)
    assert stage.slept == [300]


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant"])
def test_a_refusal_ends_it_at_once(stage: LoginSetup, error: str):
    stage.provider.polls = [PENDING, (400, {"error": error})]
    assert refused(stage) == f"the provider refused ({error})"
    assert len(stage.slept) == 2


@pytest.mark.parametrize(
    "device",
    [
        {"device_code": ...},
        {"device_code": ""},
        {"user_code": ...},
        {"user_code": "x" * 33},
        {"user_code": "A\x1b[2J"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://elsewhere.example/"},
        {"verification_uri": ...},
        {"expires_in": "300"},
        {"expires_in": -1},
        {"interval": 1.5},
        {"interval": True},
    ],
)
def test_a_device_code_that_cannot_be_used_is_refused(stage: LoginSetup, device):
    stage.provider.device = device
    refused(stage)
    assert stage.told == stage.slept == []


def test_a_provider_without_devices_says_so(stage: LoginSetup):
    stage.provider.metadata = {"device_authorization_endpoint": ...}
    assert refused(stage) == "the provider does not support the device flow"


def test_a_nonce_that_comes_back_has_to_be_ours(stage: LoginSetup):
    stage.provider.claims = {"nonce": "another"}
    assert "(nonce" in refused(stage)
    # A device code has none of its own, so a provider may leave it out.
    stage.provider.claims = {"nonce": ...}
    assert stage.sign_in(device=True).person == "person:ana@example.com"


def test_an_id_token_for_another_is_refused_here_too(stage: LoginSetup):
    stage.provider.claims = {"aud": "somebody-else"}
    assert "(audience)" in refused(stage)


def test_an_outage_is_waited_out_at_a_slower_pace(
    stage: LoginSetup, monkeypatch: pytest.MonkeyPatch
):
    right, failures = stage.provider.token, [1, 1, 1]

    def ask(self: object, url: str, form: object) -> tuple[int, bytes]:
        if url.endswith("/token") and failures:
            failures.pop()
            raise EnvironmentFailure("no answer")
        return asked(self, url, form)

    from answerable.server.login.provider_client import ProviderClient

    asked = ProviderClient.__call__
    monkeypatch.setattr(ProviderClient, "__call__", ask)
    assert stage.sign_in(device=True).person == "person:ana@example.com"
    assert stage.slept == [5, 10, 20, 40]
    assert right == stage.provider.token


def test_a_pause_never_leads_beyond_the_end():
    polling = DevicePolling.start(5, 12, now=100)
    assert [polling.seconds_until_next_poll(at) for at in (100, 108, 112, 113)] == [
        5,
        4,
        0,
        0,
    ]
