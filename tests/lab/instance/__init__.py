"""A web instance: its image, Amazon Linux's package stand-ins, its processor."""
