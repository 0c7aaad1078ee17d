"""The parts of the test lab: hosts in namespaces of their own, and the servers
on them. Real servers where there are any; what is a stand-in says so."""
