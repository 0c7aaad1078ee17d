"""The boot test: the packages on a real machine, from a bare image to a healthy target."""
