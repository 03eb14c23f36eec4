"""`sts` is an alias of `token-service`: it works everywhere and is not listed."""

import pytest

from answerable.cli.app import app
from answerable.cli.main import main

SUBCOMMANDS = ["rules", "explain", "test", "keys", "kill", "revive", "restored"]


@pytest.mark.parametrize("words", [[], *([each] for each in SUBCOMMANDS)])
def test_the_alias_has_the_help_of_the_documented_name(run, words):
    named = run("token-service", *words, "--help")
    assert named.code == 0
    assert named.out.startswith(
        f"Usage: answerable {' '.join(['token-service', *words])}"
    )
    assert run("sts", *words, "--help") == named


def test_shared_options_may_stand_before_the_alias(run):
    assert run("-q", "sts", "rules", "--help").code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("sts", "ruls"), "did you mean answerable token-service rules?"),
        (("sts", "rules", "--confg", "x"), "did you mean --config?"),
        (("token-servic", "keys"), "did you mean answerable token-service?"),
        (("serve", "--only", "token-servce"), "did you mean token-service?"),
        (
            ("case", "new", "--title", "x"),
            "write it without an option name: answerable case new TITLE",
        ),
    ],
)
def test_hints_name_the_documented_name(run, words, hint):
    ran = run(*words)
    assert (ran.code, ran.err.splitlines()[-1]) == (2, f"hint: {hint}")


@pytest.mark.parametrize("words", [("--help",), ("serve", "--help")])
def test_help_does_not_list_the_alias(run, words):
    shown = run(*words).out
    assert "token-service" in shown
    assert not any(each.split()[:1] == ["sts"] for each in shown.splitlines())
    assert "|sts" not in shown


def test_the_token_service_runs_under_both_names(run, tmp_path):
    config = tmp_path / "answerable.yaml"
    config.write_text("agents: {a: {mode: observe}}\n")
    answers = [
        run("serve", "--only", name, "--config", str(config))
        for name in ("token-service", "sts")
    ]
    assert answers[0] == answers[1]
    assert answers[0].code == 2
    assert "`sts` section" in answers[0].err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["answerable", "token"], "token-service"),
        (["answerable", "st"], "store"),
        (["answerable", "sts"], ""),
        (["answerable", "sts", "ru"], "rules"),
        (["answerable", "serve", "--only", "tok"], "token-service"),
        (["answerable", "serve", "--only", "st"], ""),
    ],
)
def test_completion_offers_the_documented_name(monkeypatch, capsys, words, expected):
    monkeypatch.setattr("sys.argv", ["answerable"])
    monkeypatch.setenv("_ANSWERABLE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    main()
    offered = [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]
    assert [each for each in offered if each] == ([expected] if expected else [])


def test_an_alias_hides_no_command():
    assert not set(app.aliases) & set(app.commands)
