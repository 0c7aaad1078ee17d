"""The model: plain data of the system in the template. Every property is implemented, refused, or
listed as without effect."""
