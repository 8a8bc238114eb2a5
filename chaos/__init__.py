"""Three nodes, two databases, a proxy and two APIs, everything that can break broken under load: ``make chaos``."""
