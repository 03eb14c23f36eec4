"""CloudTrail: the audit log of the AWS control plane."""
