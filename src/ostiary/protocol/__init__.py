"""Wire formats: no I/O, no clock (now is an argument), one specification a file."""
