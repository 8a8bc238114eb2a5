"""What the server keeps in a browser, and what it takes back from one: cookies, interactions, forms."""
