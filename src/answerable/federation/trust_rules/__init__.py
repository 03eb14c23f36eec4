"""Validate trust rules at load, and match workloads against them.

`validation` reports the faults of each rule, `RuleIndex` finds the matching rule, and
`matching` explains every mismatch. Inputs are signed by a pinned issuer or attested by the
kernel.
"""
