"""Benchmarks: Ostiary beside other programs, as ratios in one run, with the noise of the machine beside each."""
