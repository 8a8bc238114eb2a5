"""E-mail to users: written in their language, queued with what it is about, sent until it arrives."""
