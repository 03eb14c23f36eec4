"""CloudTrail connector: reads AWS API call records as audit events."""
