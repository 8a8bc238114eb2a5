"""The running server: sockets, processes, limits, housekeeping, management address, metrics and logs."""
