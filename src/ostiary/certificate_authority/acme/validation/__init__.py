"""The proof of names: what the server looks up, where it may look, and what it wants to see there."""
