"""Validate trust rules at load, and match workloads against them.

`check` reports faults, `match` and `RuleIndex.find` find the matching rule, `explain` gives
the reason for every rule that does not match. Inputs are signed by a pinned issuer or
attested by the kernel.
"""
