"""Match glob and ARN patterns, and compute unions, overlaps and differences of them."""
