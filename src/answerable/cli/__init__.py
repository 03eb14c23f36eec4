"""The door people use first: argv in, one flow called, one answer out."""
