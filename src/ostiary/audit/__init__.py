"""The audit log: events with named tags, sealed into one hash chain whose signed heads leave the database."""
