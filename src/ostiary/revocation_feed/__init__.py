"""How readers of the revocation log learn that it has grown: the seam of wake-ups."""
