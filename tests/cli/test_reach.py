"""What the three questions hand to their flows, and what they refuse."""

import pytest

USER = "arn:aws:iam::111122223333:user/report-job"
BUCKET = "arn:aws:s3:::warehouse-customers/*"
QUESTIONS = {
    "reach": ("reach", USER),
    "reach-used": ("reach", USER, "--used"),
    "can": ("can", USER, "s3:GetObject", BUCKET),
    "who-can": ("who-can", "s3:GetObject", BUCKET),
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_what_a_question_states_reaches_the_flow(flows, run, kind):
    stated = (
        *("--context", "aws:SourceIp=10.0.0.1", "--context", "aws:SourceIp=10.0.0.2"),
        *("--without-context", "aws:SourceVpce"),
        *("--session-policy", "session.json", "--endpoint-policy", "endpoint.json"),
        "--direct",
    )
    assert run(*QUESTIONS[kind], *stated).code == 0
    named = flows.asked[kind][1]
    assert named["context"] == {
        "aws:SourceIp": ("10.0.0.1", "10.0.0.2"),
        "aws:SourceVpce": (),
    }
    assert named["session_policy"] == "session.json"
    assert named["endpoint_policy"] == "endpoint.json"
    assert named["direct"] is True


def test_a_comparison_needs_no_subject_and_hands_on_the_settings_of_aws(flows, run):
    words = ("--sample", "7", "--seed", "3", "--action", "s3:*", "--profile", "p")
    where = ("--endpoint-url", "http://127.0.0.1:1", "--region", "eu-west-1")
    assert run("reach", "--compare-aws", *words, *where).code == 0
    args, named = flows.asked["reach-compared"]
    assert args[1] == ""
    assert (named["sample"], named["seed"], named["action"]) == (7, 3, "s3:*")
    assert (named["profile"], named["region"]) == ("p", "eu-west-1")
    assert named["endpoint_url"] == "http://127.0.0.1:1"


def test_a_difference_is_a_failure_and_a_question_unanswered_is_partial(flows, run):
    flows.failed("reach-compared")
    assert run("reach", "--compare-aws").code == 1
    flows.partial("reach-compared")
    assert run("reach", "--compare-aws").code == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reach",), "SUBJECT is missing"),
        (("reach", USER, "--used", "--resource", "*"), "--resource"),
        (("reach", USER, "--used", "--compare-aws"), "cannot be combined"),
        (("reach", USER, "--compare-aws", "--direct"), "--direct"),
        (("reach", USER, "--compare-aws", "--context", "a=b"), "--context"),
        (("reach", USER, "--used", "--region", "x"), "--region"),
        (("reach", USER, "--seed", "3"), "--seed"),
        (("reach", USER, "--compare-aws", "--resource", "x"), "--resource"),
        (("reach", USER, "--context", "aws:SourceIp"), "KEY=VALUE"),
        (("reach", "--compare-aws", "--sample", "many"), "many"),
    ],
)
def test_what_cannot_be_asked_together_is_refused_with_a_hint(flows, run, words, said):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    error, hint = ran.err.splitlines()
    assert said in error
    assert hint.startswith("hint: ")
