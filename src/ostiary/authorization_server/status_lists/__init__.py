"""Token Status Lists of this installation: places for tokens, and what is published of them."""
