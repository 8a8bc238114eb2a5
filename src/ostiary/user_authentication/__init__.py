"""How users prove themselves, and the sessions that follow from it."""
