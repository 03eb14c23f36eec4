"""Trust rules: checked against each other at load, matched against workloads later.

`check` reports faults, `match` and `RuleIndex.find` find the matching rule, `explain` gives
the reason for every rule that does not match. Inputs are signed by a pinned issuer or
attested by the kernel.
"""
