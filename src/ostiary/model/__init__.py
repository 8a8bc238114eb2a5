"""What the server knows: frozen records, one aggregate a file, no behaviour that needs storage."""
