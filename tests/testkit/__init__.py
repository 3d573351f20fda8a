"""The testkit itself, and the arrows between tests, testkit and benchmarks."""
