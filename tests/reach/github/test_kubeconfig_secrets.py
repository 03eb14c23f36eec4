"""Kubeconfigs in secrets of workflows: stated as what is not known, with the secret."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.workflow_definition import parse_workflow_definition
from tests.connectors.github.saved_answers import content, make_answers, save
from tests.connectors.kubernetes.kubernetes_objects import bootstrap

FILE = ".github/workflows/ci.yml"
HEAD = "on: push\njobs:\n  deploy:\n    runs-on: x\n    steps:\n"
LOGIN = (
    "      - uses: azure/k8s-set-context@v4\n"
    "        with: {kubeconfig: '${{ secrets.PROD_CLUSTER }}'}\n"
)


@pytest.mark.parametrize(
    ("steps", "secrets"),
    [
        (LOGIN, ("PROD_CLUSTER",)),
        (
            "      - uses: azure/k8s-set-context@v4\n"
            "        with: {method: service-account, k8s-secret: '${{ secrets.SA }}'}\n",
            ("SA",),
        ),
        (
            "      - run: echo '${{ secrets.K }}' | base64 -d > ~/.kube/config\n",
            ("K",),
        ),
        (
            "      - env: {DATA: '${{ secrets.K }}'}\n"
            '        run: echo "$DATA" > "$HOME/.kube/config"\n',
            ("K",),
        ),
        ("      - {uses: a/b@v1, env: {KUBE_CONFIG: '${{ secrets.K }}'}}\n", ("K",)),
        ("      - run: make ${{ secrets.OTHER }}\n", ()),
        (
            "      - env: {OTHER: '${{ secrets.OTHER }}'}\n"
            "        run: kubectl --kubeconfig ./file get pods\n",
            (),
        ),
    ],
)
def test_a_kubeconfig_step_is_recognised(steps: str, secrets: tuple[str, ...]) -> None:
    root = parse_document((HEAD + steps).encode(), DocumentFormat.YAML, "w").root
    (job,) = parse_workflow_definition(root, FILE, "main", "w").jobs
    assert job.kubeconfigs == secrets


def test_the_secret_is_named_where_a_cluster_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = make_answers()
    answers[f"repos/acme/web/contents/{FILE}"] = content(FILE, HEAD + LOGIN)
    answers["repos/acme/web/actions/secrets"] = [
        {"total_count": 1, "secrets": [{"name": "PROD_CLUSTER"}]}
    ]
    save(tmp_path / "github", answers)
    (tmp_path / "k8s.json").write_text(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": bootstrap()})
    )
    store = ["--store", str(tmp_path / "store")]
    main(
        [
            *store,
            "scan",
            f"github:{tmp_path}/github",
            f"k8s:{tmp_path}/k8s.json,cluster=prod",
        ]
    )
    capsys.readouterr()

    def ask(login: str) -> tuple[str, str]:
        call = ("get", "k8s:prod/default/secrets")
        main([*store, "can", f"github:user/{login}", *call, "-o", "json"])
        text = capsys.readouterr().out
        return json.loads(text)["items"][0]["verdict"], text

    verdict, text = ask("ana")
    assert verdict == "not-known"
    assert "github:acme/repo/web/secret/PROD_CLUSTER" in text
    assert "uses it as a kubeconfig in the job deploy" in text
    verdict, text = ask("stranger")
    assert verdict == "not-known"
    assert "PROD_CLUSTER" not in text
