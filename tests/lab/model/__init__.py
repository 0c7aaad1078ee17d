"""What the template comes to: plain data of the system, every property played, refused or
listed as without effect."""
