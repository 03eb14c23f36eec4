"""Authorization: a request and the policy in force give a decision. Pure."""
