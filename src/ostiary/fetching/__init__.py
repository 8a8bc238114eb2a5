"""The one guarded fetcher for URLs that somebody else registered."""
