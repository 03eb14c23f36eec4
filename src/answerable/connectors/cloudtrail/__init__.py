"""CloudTrail: the AWS control plane's own record of who called what."""
