"""What userdata/deploy does, by topic; command.py has the order of the steps."""
