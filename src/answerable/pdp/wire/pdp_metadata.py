"""Build the metadata document of the decision point (AuthZEN 1.0, 9)."""

import msgspec

METADATA_PATH = "/.well-known/authzen-configuration"
BASE_PATH = "/access/v1/"
EVALUATION_PATH = "/access/v1/evaluation"
EVALUATIONS_PATH = "/access/v1/evaluations"
SUBJECT_SEARCH_PATH = "/access/v1/search/subject"
RESOURCE_SEARCH_PATH = "/access/v1/search/resource"
ACTION_SEARCH_PATH = "/access/v1/search/action"
MAX_AGE = 300  # seconds that enforcement points may keep it


def build_metadata(url: str) -> bytes:
    """Build the AuthZEN metadata document: the endpoints of this decision point.

    Args:
        url: Identifier and base URL of the decision point.
    """
    return msgspec.json.encode(
        {
            "policy_decision_point": url,
            "access_evaluation_endpoint": url + EVALUATION_PATH,
            "access_evaluations_endpoint": url + EVALUATIONS_PATH,
            "search_subject_endpoint": url + SUBJECT_SEARCH_PATH,
            "search_resource_endpoint": url + RESOURCE_SEARCH_PATH,
            "search_action_endpoint": url + ACTION_SEARCH_PATH,
        }
    )
