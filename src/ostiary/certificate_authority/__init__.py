"""The private certificate authority: who may have which certificate, its signing, its life and its end."""
