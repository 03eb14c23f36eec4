"""`aws exec`: a coding agent at work, from its start to the end of its last session."""

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.credentials import BotoProvider

from answerable.cli.main import main
from answerable.model.errors import EnvironmentFailure
from answerable.server.agent_credentials.agent_exec import (
    _CredentialWatch,
    build_clean_environment,
)
from answerable.server.agent_credentials.credential_cache import CachedCredential
from answerable.server.agent_credentials.credential_endpoint import CredentialEndpoint
from tests.agent_credentials.conftest import AGENT, ANA, NAME, Laptop
from tests.agent_credentials.sts_service import SECRET

Capture = pytest.CaptureFixture[str]
ALLOWED = "arn:aws:s3:::example-reports/may.csv"
REFUSED = "arn:aws:s3:::example-customer-data/may.csv"
# An agent with boto3: what it can call, and what its environment holds.
PROGRAM = """
import json, os, sys, time, urllib.request
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

session = boto3.Session()
found = session.get_credentials()

def get(path):
    frozen = found.get_frozen_credentials()
    request = AWSRequest("GET", URL + path)
    SigV4Auth(frozen, "s3", "eu-west-1").add_auth(request)
    sent = urllib.request.Request(URL + path, headers=dict(request.headers))
    try:
        return urllib.request.urlopen(sent).status
    except urllib.error.HTTPError as error:
        return error.code

report = {
    "method": found.method,
    "key": found.access_key,
    "region": session.region_name,
    "allowed": get("/example-reports/may.csv"),
    "refused": get("/example-customer-data/may.csv"),
    "environment": {k: v for k, v in os.environ.items() if "AWS" in k or "ANSW" in k},
}
print(json.dumps(report), flush=True)
"""


def write_agent(laptop: Laptop, more: str = "") -> str:
    path = laptop.home / "agent.py"
    path.write_text(PROGRAM.replace("URL", repr(laptop.sts.url)) + more)
    return str(path)


def allow_by_reach(laptop: Laptop) -> None:
    """Evaluate session policies with `can`, on an account whose user may do anything."""
    user = {
        "Path": "/",
        "UserName": "ana",
        "UserId": "AIDAEXAMPLE",
        "Arn": "arn:aws:iam::111122223333:user/ana",
        "CreateDate": "2025-01-01T00:00:00Z",
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "UserPolicyList": [
            {
                "PolicyName": "all",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
                },
            }
        ],
    }
    account = {"UserDetailList": [user], "GroupDetailList": [], "RoleDetailList": []}
    file, store = laptop.home / "account.json", str(laptop.home / "reach-store")
    file.write_text(json.dumps({**account, "Policies": []}))
    assert main(["scan", f"aws:{file}", "--store", store, "-q"]) == 0

    def allows(policy: str, action: str, resource: str) -> bool:
        stated = laptop.home / "session.json"
        stated.write_text(policy)
        done = laptop.run(
            *("can", user["Arn"], action, resource, "--session-policy", str(stated)),  # type: ignore[list-item]
            *("--store", store, "-o", "json"),
        )
        (item,) = json.loads(done.stdout)["items"]
        return bool(item["verdict"] == "always")

    laptop.sts.allows = allows


def write_trail(laptop: Laptop, key: str) -> Path:
    """Write the CloudTrail record of a call with an access key, under another's name."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/developer/ben",
            "accountId": "111122223333",
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": "arn:aws:iam::111122223333:role/developer",
                }
            },
        },
        "eventTime": at,
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-west-1",
        "requestParameters": {"bucketName": "example-reports", "key": "may.csv"},
        "eventID": "0f0e0d0c-0000-4000-8000-000000000001",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "resources": [{"ARN": ALLOWED}],
    }
    path = laptop.home / "trail.json"
    path.write_text(json.dumps({"Records": [record]}))
    return path


def test_an_agent_works_within_its_policy_and_is_traced_by_its_key(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign("--starter", "metadata")
    laptop.sign()
    allow_by_reach(laptop)
    done = laptop.run(
        *("aws", "exec", "--agent", NAME, "--", sys.executable, write_agent(laptop)),
        env={"AWS_PROFILE": "default", "AWS_SESSION_TOKEN_FOR_TESTS": SECRET},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["method"] == "container-role"
    assert (report["allowed"], report["refused"]) == (200, 403)
    assert report["region"] == "eu-west-1"
    run = report["environment"]["ANSWERABLE_RUN"]
    assert set(report["environment"]) == {
        "ANSWERABLE_RUN",
        "ANSWERABLE_STORE",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_REGION",
        "AWS_SHARED_CREDENTIALS_FILE",
    }
    assert f"run {run} of {AGENT}" in done.stderr
    assert "not held: a process of your user can read ~/.aws" in done.stderr
    assert SECRET not in done.stdout + done.stderr

    capsys.readouterr()
    assert main(["ingest", f"cloudtrail:{write_trail(laptop, report['key'])}"]) == 0
    capsys.readouterr()
    assert main(["trace", "--action", "s3:*", "-o", "json"]) in (0, 3)
    (item,) = json.loads(capsys.readouterr().out)["items"]
    hops = item["hops"]
    assert (hops["person"]["value"], hops["person"]["status"]) == (ANA, "observed")
    assert (hops["agent"]["value"], hops["agent"]["status"]) == (AGENT, "observed")
    assert "credential-broker event" in hops["agent"]["source"]
    assert hops["identity"]["value"] == "arn:aws:iam::111122223333:role/developer"
    assert item["run"] == run


def test_a_kill_in_mid_run_stops_the_renewal_and_the_residual_life_is_printed(
    laptop: Laptop,
) -> None:
    laptop.sign()
    laptop.sts.ttl = 600
    wait = laptop.home / "go"
    agent = write_agent(
        laptop,
        "while not os.path.exists('go'): time.sleep(0.05)\n"
        "url = os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI']\n"
        "sent = {'Authorization': os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']}\n"
        "try: urllib.request.urlopen(urllib.request.Request(url, headers=sent))\n"
        "except urllib.error.HTTPError as error: sys.exit(error.code % 256)\n",
    )
    words = ("-m", "answerable", "aws", "exec", "--agent", NAME, "--")
    child = subprocess.Popen(
        [sys.executable, *words, sys.executable, agent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["allowed"] == 200
        assert main(["kill", AGENT]) == 0
        assert child.stderr is not None
        said = ""
        while "AWS cannot end it earlier" not in said:  # until the watch has seen it
            line = child.stderr.readline()
            assert line, said
            said += line
        wait.touch()
        said += child.communicate(timeout=60)[1]
    finally:
        child.kill()
    assert child.returncode == 403 % 256
    assert f"{AGENT} is killed: no credential is issued" in said
    assert said.count("AWS cannot end it earlier without a deny") == 1
    assert laptop.sts.operations().count("GetScopedCredentials") == 1


def test_the_residual_life_is_printed_when_the_policy_has_ended() -> None:
    """The session still works, although no kill is the reason."""

    class Broker:
        def get_credential(self) -> CachedCredential:
            raise EnvironmentFailure("no credential policy is in force", "")

    now, said = time.time_ns(), list[str]()
    words = {"stamp": "", "policy": "", "person": ANA, "id": "cred:aws/A", "fields": {}}
    first = CachedCredential(
        policy_expires=now, renew_at=now, expires=now + 600 * 10**9, notes=(), **words
    )
    watch = _CredentialWatch(Broker(), first, said.append)  # type: ignore[arg-type]
    try:
        deadline = time.monotonic() + 60
        while len(said) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        watch.close()
    assert said[0] == "no credential policy is in force"
    assert said[1].startswith("cred:aws/A works until ")


def test_a_run_renews_its_session_before_it_ends(laptop: Laptop) -> None:
    laptop.sign()
    laptop.sts.ttl = 6
    agent = write_agent(laptop, "time.sleep(6)\nprint(get('/example-reports/x'))\n")
    done = laptop.run("aws", "exec", "--agent", NAME, "--", sys.executable, agent)
    assert done.stdout.splitlines()[-1] == "200", done.stderr
    keys = [key for name, _, key in laptop.sts.calls if name == "GetObject"]
    assert keys[0] != keys[-1]


def test_the_exit_code_is_that_of_the_command_and_nothing_starts_without_a_session(
    laptop: Laptop, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("aws", "exec", "--agent", NAME, "--")
    assert laptop.run(*words, "touch", "started").returncode == 5
    assert not (laptop.home / "started").exists()
    laptop.sign()
    assert laptop.run(*words, "sh", "-c", "exit 7").returncode == 7
    assert laptop.run(*words, "sh", "-c", "kill -TERM $$").returncode == 128 + 15
    issued = len(laptop.sts.secrets)
    for name, why in (
        ("no-such-program", "no such program"),
        ("/dev/null", "executed"),
    ):
        missing = laptop.run(*words, name)
        assert missing.returncode == 2
        assert why in missing.stderr
    assert len(laptop.sts.secrets) == issued  # no session is issued for nothing


def test_a_signal_reaches_the_command(laptop: Laptop) -> None:
    laptop.sign()
    script = "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"
    words = ("-m", "answerable", "aws", "exec", "--agent", NAME, "--", "sh", "-c")
    with subprocess.Popen(
        [sys.executable, *words, script], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=60) == 9


def test_the_endpoint_answers_only_the_token_of_its_run() -> None:
    fields = {"AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T"}
    found = CachedCredential(
        stamp="",
        policy="",
        policy_expires=0,
        person="",
        renew_at=0,
        expires=10**18,
        id="cred:aws/A",
        notes=(),
        fields=fields,
    )
    endpoint = CredentialEndpoint(lambda: found)
    try:
        for headers, path, status in (
            ({}, "/credentials", 403),
            ({"Authorization": "wrong"}, "/credentials", 403),
            (
                {"Authorization": endpoint.token, "Host": "evil.example"},
                "/credentials",
                403,
            ),
            ({"Authorization": endpoint.token}, "/other", 404),
            ({"Authorization": endpoint.token}, "/credentials", 200),
        ):
            host = HTTPConnection(urlsplit(endpoint.url).netloc)
            host.request("GET", path, headers=headers)
            answer = host.getresponse()
            body = answer.read()
            host.close()
            assert answer.status == status
            assert (b'"S"' in body) == (status == 200)
            assert answer.headers["Cache-Control"] == "no-store"
    finally:
        endpoint.close()


def test_no_setting_of_aws_is_inherited() -> None:
    given = {"AWS_PROFILE": "a", "aws_secret": "b", "BOTO_CONFIG": "c", "PATH": "/bin"}
    assert build_clean_environment(given) == {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BOTO_CONFIG": os.devnull,
        "PATH": "/bin",
    }


def test_boto3_reads_no_file_of_boto_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would prefer the key in ~/.boto to the session of the endpoint."""
    boto = "[Credentials]\naws_access_key_id = A\naws_secret_access_key = B\n"
    (tmp_path / ".boto").write_text(boto)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert BotoProvider(environ={}).load() is not None
    assert BotoProvider(environ=build_clean_environment({})).load() is None
