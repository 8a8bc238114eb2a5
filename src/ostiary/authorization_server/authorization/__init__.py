"""Authorization requests: their checks, what they need next, and how they are answered."""
