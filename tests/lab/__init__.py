"""The stack template's system on one machine: an interpreter of the template, network namespaces
and real servers. Begin with README.md in this folder."""
