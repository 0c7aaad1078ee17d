"""A web instance: its image, the stand-ins for systemd and dnf, its processor."""
