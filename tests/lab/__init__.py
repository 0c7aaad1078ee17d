"""The described system on one machine: the stack template interpreted and built out of
network namespaces and real servers. Begin with README.md in this folder."""
