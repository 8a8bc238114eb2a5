"""Certificates are found by what they were given for, so that those of a thief fall with what was stolen."""

from ostiary.storage.migrations.online import create_index

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create_index("certificates_by_proof", "certificates", ["tenant", "proof"])
