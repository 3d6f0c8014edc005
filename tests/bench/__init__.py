"""Measures the numbers that the project promises: `make bench`, `python -m tests.bench`."""
