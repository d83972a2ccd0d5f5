"""Benchmarks: run by hand, never as timed assertions in the suite."""
