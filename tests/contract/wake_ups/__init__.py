"""The contract of wake-ups."""
