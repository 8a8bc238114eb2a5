"""The contract of the replay memory."""
