"""Rules and the exchange as they are meant, written for reading; `exchange` is fast."""
