"""Benchmarks: one command each, JSON and a picture in `results/`."""
