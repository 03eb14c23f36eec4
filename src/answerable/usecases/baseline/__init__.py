"""Use cases of baselines: learn, review, sign, replay."""
