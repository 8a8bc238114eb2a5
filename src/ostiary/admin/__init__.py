"""What an operator does: services that the command line and the admin API share, and the admin API itself."""
