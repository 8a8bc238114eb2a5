"""A small Django service behind the guard."""
