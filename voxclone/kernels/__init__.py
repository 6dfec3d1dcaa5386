"""One op, one file: its public door, its reference, its fast form."""
