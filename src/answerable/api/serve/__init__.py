"""The process: what it is made of, how it starts, ends and reads its file anew."""
