"""The commands of tests/lab/run: orders to the daemon, the tests, the mutations."""
