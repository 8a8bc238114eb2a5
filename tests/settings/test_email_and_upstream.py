"""The settings of e-mail and of upstream providers: what is refused, in a sentence that names the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.settings import dev_settings, load_settings, serve_checks

HEAD = 'issuer = "https://auth.example.com"\n'
MAIL = '[email]\nsmtp_host = "mail.example.com"\nfrom_address = "door@example.com"\n'
WORKS = '[upstream.works]\nissuer = "https://works.example"\nclient_id = "ostiary"\nname = "Works"\n'


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "ostiary.toml"
    file.write_text(HEAD + text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ('[email]\nsmtp_host = "mail.example.com"\n', "from_address is missing"),
        (MAIL + 'security = "none"\n', 'use "starttls" or "tls"'),
        (MAIL + 'username = "x"\n', "give both or neither"),
        (MAIL + 'password = "x"\n', "give both or neither"),
        (MAIL + 'username = "x"\npassword = "x"\npassword_file = "f"\n', "keep one"),
        (MAIL + 'outbox_dir = "x"\n', "keep one"),
        ('[email]\nsmtp_host = "h"\nfrom_address = "door"\n', "name@host"),
        ('[email]\nsmtp_host = "h"\nfrom_address = "a@b\\nBcc: c@d"\n', "one line"),
        (WORKS, "give one of client_secret_file"),
        (WORKS + 'client_secret_file = "a"\nprivate_key_file = "b"\n', "give one of"),
        (WORKS + 'client_secret_file = "a"\nscopes = ["email"]\n', 'must hold "openid"'),
        (WORKS.replace("https:", "http:") + 'client_secret_file = "a"\n', "must begin with https"),
        (WORKS.replace("works]", '"../x"]') + 'client_secret_file = "a"\n', "upstream"),
        (WORKS + 'client_secret_file = "a"\nalgorithms = ["HS256"]\n', "algorithms"),
        (WORKS + 'client_secret_file = "a"\nalgorithms = ["none"]\n', "algorithms"),
        (WORKS + 'client_secret_fil = "a"\n', "did you mean upstream.works.client_secret_file"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_mend(tmp_path: Path, text: str, mend: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(written(tmp_path, text), {})
    assert mend in str(refused.value)


@pytest.mark.parametrize("text", [MAIL + 'username = "x"\npassword = "s3cret"\n', WORKS + 'client_secret = "s3cret"\n'])
def test_a_secret_in_a_file_that_others_can_read_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        load_settings(written(tmp_path, text, 0o644), {})
    assert "s3cret" not in str(refused.value)
    settings = load_settings(written(tmp_path, text), {})
    assert "s3cret" not in repr(settings)


def test_serve_refuses_the_outbox_of_dev(tmp_path: Path) -> None:
    kek = 'kek"\n'
    text = f'[email]\noutbox_dir = "x"\nfrom_address = "a@b.example"\n[keys]\nkey_encryption_key_file = "{kek}'
    with pytest.raises(ConfigurationError, match="smtp_host"):
        serve_checks(load_settings(written(tmp_path, text), {}))


def test_dev_has_an_outbox(tmp_path: Path) -> None:
    assert dev_settings(tmp_path / ".ostiary").email.outbox_dir == tmp_path / ".ostiary" / "outbox"
