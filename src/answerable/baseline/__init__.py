"""Behaviour baselines: learn an agent's normal behaviour, and judge each call. Pure.

Recorded runs are merged into a training state (`training_run_merge`) and counted
(`training_counts`). `profile_learning` learns a profile from it, in the layers L1 (tools),
L2 (entities), L3 (flows), L4 (sequences and bounds) and L5 (times and places).
`profile_document` encodes it; `profile_verification` accepts only a profile that the
attested owner signed, and that is neither replaced nor expired.

At run time, `recent_result_window` tracks the results that an agent has read, and finds
the origin of each argument value. `call_judgement` compares a call with the indexed
profile (`profile_index`), and `deviation_explanations` states each deviation in a sentence.

The `stance` of a profile sets how strictly it is enforced. Types are in
`model.behaviour` and `model.baseline`.
"""
