"""Trust rules: held against each other when loaded, and against workloads later.

`check` refuses what could be wrong, `match` and `Rules.find` say which rule fits,
`explain` says of every rule why it does not. Nothing here believes a workload's word:
what is matched was signed by a pinned issuer, or attested by the kernel.
"""
