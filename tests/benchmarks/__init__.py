"""The benchmarks that tests can run in seconds."""
