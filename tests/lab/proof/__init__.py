"""The tests of the requirements, with their probes, visitors and listeners."""
