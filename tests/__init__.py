"""The tests of Ostiary; `tests.real_parts` is imported by the benchmarks too."""
