"""Each join of docs/log-sources.md has a test that shows it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Join of the table: file below `tests/`, and the test.
JOINS = {
    "AWS access key id": (
        "lineage/test_stitch.py",
        "test_an_assumed_role_leads_back_to_the_key_that_assumed_it",
    ),
    "federated subject": (
        "lineage/test_stitch.py",
        "test_a_person_whom_the_provider_signed_in_is_observed_through_the_issuance",
    ),
    "AWS access key id on EKS": (
        "lineage/test_incident.py",
        "test_the_person_behind_an_aws_session_on_a_cluster_is_known",
    ),
    "Kubernetes token id": (
        "lineage/test_log_joints.py",
        "test_a_token_that_was_requested_with_another_token_leads_back_over_both",
    ),
    "`jti` of our token": (
        "lineage/test_incident.py",
        "test_a_read_of_a_secret_is_told_in_six_observed_hops",
    ),
    "SHA-256 of a token": (
        "lineage/test_incident.py",
        "test_a_push_is_told_in_six_observed_hops",
    ),
    "impersonation in a Kubernetes record": (
        "lineage/test_log_joints.py",
        "test_an_impersonation_in_one_record_leads_back_to_the_caller",
    ),
    "delegation in a Google Cloud record": (
        "lineage/test_log_joints.py",
        "test_a_chain_of_impersonated_service_accounts_starts_with_the_person",
    ),
    "Google Cloud key name": (
        "connectors/logs/test_sources.py",
        "test_a_created_service_account_key_is_issued_under_the_name_that_uses_it",
    ),
    "Entra token id": (
        "lineage/test_log_joints.py",
        "test_a_token_leads_back_to_the_sign_in_that_issued_it",
    ),
    "Bedrock request id": (
        "lineage/test_log_joints.py",
        "test_a_model_invocation_has_the_credential_of_its_cloudtrail_record",
    ),
    "delegation of our token service": (
        "lineage/test_token_service.py",
        "test_an_exchange_that_is_ingested_late_improves_the_row",
    ),
    "Okta session": (
        "connectors/logs/test_sources.py",
        "test_a_usual_record_gives_who_what_and_outcome",
    ),
    "session name, source identity, user agent": (
        "lineage/test_stitch.py",
        "test_no_session_name_changes_any_hop",
    ),
    "service account and time on EKS (IRSA)": (
        "lineage/test_pod_links.py",
        "test_the_only_pod_with_a_token_for_aws_is_inferred",
    ),
    "trace id of telemetry": (
        "lineage/test_trace_id_links.py",
        "test_a_trace_id_changes_no_hop",
    ),
    "`tool_use_id` of telemetry": (
        "lineage/test_agent_telemetry.py",
        "test_no_value_of_an_agents_telemetry_changes_a_row",
    ),
}


def test_the_table_has_the_joins_that_are_tested() -> None:
    page = (ROOT / "docs" / "log-sources.md").read_text()
    _, _, rest = page.partition("## Joins between logs\n")
    rows = rest.partition("\n## ")[0].splitlines()
    named = [row.split("|")[1].strip() for row in rows if row.startswith("|")]
    assert named[2:] == list(JOINS)


def test_the_tests_of_the_joins_exist() -> None:
    for place, name in JOINS.values():
        tree = ast.parse((ROOT / "tests" / place).read_text())
        found = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert name in found, (place, name)
