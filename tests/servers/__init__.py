"""Real servers that tests, benchmarks and the demo start on loopback."""
