"""Metadata of the decision point (AuthZEN 1.0, 9)."""

import msgspec

PATH = "/.well-known/authzen-configuration"
BASE = "/access/v1/"
EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SUBJECTS = "/access/v1/search/subject"
RESOURCES = "/access/v1/search/resource"
ACTIONS = "/access/v1/search/action"
KEPT = 300  # seconds that enforcement points may keep it


def metadata(url: str) -> bytes:
    """Build the metadata document.

    Args:
        url: Identifier and base URL of the decision point.
    """
    return msgspec.json.encode(
        {
            "policy_decision_point": url,
            "access_evaluation_endpoint": url + EVALUATION,
            "access_evaluations_endpoint": url + EVALUATIONS,
            "search_subject_endpoint": url + SUBJECTS,
            "search_resource_endpoint": url + RESOURCES,
            "search_action_endpoint": url + ACTIONS,
        }
    )
