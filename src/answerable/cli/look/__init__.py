"""How an answer looks on a terminal: the marks and words of one visual language."""
