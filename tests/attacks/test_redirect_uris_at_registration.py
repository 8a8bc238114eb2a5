"""Attack 22: redirect URIs that two parsers read differently, or that are no one's, do not come into the register."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.model.application_uris import public_address, redirect_uri

GOOD = {
    "web": [
        "https://app.example.com",
        "https://app.example.com/callback",
        "https://app.example.com:8443/callback?tenant=a&next=%2Fhome",
        "https://xn--bcher-kva.example/callback",
        "https://intranet/callback",
        "https://app.example.com/a/b.c/~user/%C3%BC;v=1",
        "https://192.0.2.7/cb",
        "https://[2001:db8::7]/cb",
    ],
    "native": [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:49152/callback",
        "http://[::1]/callback",
        "com.example.app:/callback",
        "com.example.app:/",
        "com.example.app://callback",
        "com.example.app:/callback?tenant=a",
        "https://app.example.com/claimed",
    ],
    "browser": ["https://app.example.com/", "https://app.example.com/callback.html"],
}

BAD_FOR_ALL = {
    "https://app.example.com/cb#": "fragment",
    "https://app.example.com/cb#x": "fragment",
    "https://app.example.com/cb%23x#": "fragment",
    "https://*.example.com/cb": "wildcards",
    "https://app.example.com/*": "wildcards",
    "https://app.example.com@evil.example/cb": "user name",
    "https://user:pass@app.example.com/cb": "user name",
    "https://app.example.com\\@evil.example/cb": "characters",
    "https://app.example.com\\.evil.example": "characters",
    "https://app.example.com/..\\evil": "characters",
    "https://app.example.com/cb\r\nSet-Cookie: a=b": "characters",
    "https://app.example.com/c b": "characters",
    " https://app.example.com/cb": "characters",
    "https://app.example.com/cb\t": "characters",
    "https://app.example.com/cb\x00": "characters",
    "https://app.example.com/<script>": "characters",
    'https://app.example.com/"': "characters",
    "https://äpp.example.com/cb": "xn--",
    "https://app.example。com/cb": "xn--",
    "https://app.example.com/%zz": "characters",
    "https://app.example.com/%": "characters",
    "https://app.example.com/%2e%2e/admin": "hides",
    "https://app.example.com/%2E/": "hides",
    "https://app.example.com/a%2fb": "hides",
    "https://app.example.com/a%5Cb": "hides",
    "https://app.example.com/a%00b": "hides",
    "https://app.example.com/cb?x=%0d%0a": "hides",
    "https://app.example.com/%252e%252e/": "hides",
    "https://app.example.com/a/../b": "dot segments",
    "https://app.example.com/a/..": "dot segments",
    "https://app.example.com/./b": "dot segments",
    "https://app.example.com/..;/admin": "dot segments",
    "https://app.example.com//evil.example/cb": "double slash",
    "https://app.example.com/a//b": "double slash",
    "https:///cb": "https",
    "https:/app.example.com/cb": "https",
    "https:app.example.com/cb": "https",
    "https://": "https",
    "//app.example.com/cb": "https://",
    "/cb": "https://",
    "cb": "https://",
    "": "characters",
    "HTTPS://app.example.com/cb": "lower case",
    "https://App.example.com/cb": "lower case",
    "https://app.example.com./cb": "host",
    "https://.example.com/cb": "host",
    "https://app..example.com/cb": "host",
    "https://app.example.com:/cb": "https",
    "https://app.example.com:0/cb": "port",
    "https://app.example.com:99999/cb": "port",
    "https://app.example.com:443x/cb": "https",
    "https://2130706433/cb": "host",
    "https://0x7f000001/cb": "host",
    "https://0177.0.0.1/cb": "host",
    "https://127.1/cb": "host",
    "https://[::1/cb": "https",
    "https://[::ffff:127.0.0.1%25eth0]/cb": "https",
    "https://app.example.com/cb?code=x": "parameter code",
    "https://app.example.com/cb?a=b&state=": "parameter state",
    "https://app.example.com/cb?iss=https://evil.example": "parameter iss",
    "https://app.example.com/" + "a" * 2048: "2048",
    "http://app.example.com/cb": "plain http",
    "http://127.0.0.1.evil.example/cb": "plain http",
    "http://localhost.evil.example/cb": "plain http",
    "http://127.0.0.2/cb": "plain http",
    "http://0.0.0.0/cb": "plain http",
    "http://localhost/cb": "127.0.0.1",
    "http://localhost:3000/cb": "127.0.0.1",
    "http://127.0.0.1@evil.example/cb": "user name",
    "http://[::ffff:127.0.0.1]/cb": "plain http",
    "javascript:alert(1)": "reverse",
    "javascript://app.example.com/%0aalert(1)": "",
    "data:text/html,x": "reverse",
    "file:///etc/passwd": "reverse",
    "vbscript:x": "reverse",
    "myapp:/callback": "reverse",
    "myapp://callback": "reverse",
    "urn:ietf:wg:oauth:2.0:oob": "reverse",
    "about:blank": "reverse",
    "com.example.app:callback": "com.example.app:/callback",
    "com.example.app:///callback": "com.example.app:/callback",
    "com.example.app://user@host/": "com.example.app:/callback",
    "com.example.app:/a/../b": "dot segments",
    "com.example.app:/%2e%2e/": "hides",
    "com.example.app:/cb?code=1&state=2": "parameter code",
    "com.example.app://cb?a=b&iss=": "parameter iss",
    "com..example:/cb": "com.example.app:/callback",
    "com.example.:/cb": "com.example.app:/callback",
    "COM.EXAMPLE.APP:/cb": "lower case",
}


@pytest.mark.parametrize(("kind", "uri"), [(kind, uri) for kind, uris in GOOD.items() for uri in uris])
def test_a_plain_address_is_registered(kind: Any, uri: str) -> None:
    assert redirect_uri(uri, kind, dev=False) == uri


@pytest.mark.parametrize("kind", ["web", "native", "browser"])
@pytest.mark.parametrize("uri", BAD_FOR_ALL)
def test_a_treacherous_address_is_refused_with_its_mend(kind: Any, uri: str) -> None:
    """attack 22; standards 16, 17"""
    with pytest.raises(ValueError, match=r".") as caught:
        redirect_uri(uri, kind, dev=False)
    assert BAD_FOR_ALL[uri] in str(caught.value)


@pytest.mark.parametrize("kind", ["web", "browser"])
@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "http://[::1]:8000/cb", "com.example.app:/cb"])
def test_addresses_of_native_applications_are_for_them_alone(kind: Any, uri: str) -> None:
    """standards 17: RFC 9700 2.6, RFC 8252 7.1, 7.3"""
    with pytest.raises(ValueError, match="native"):
        redirect_uri(uri, kind, dev=False)


@pytest.mark.parametrize("kind", ["web", "native", "browser"])
def test_under_dev_http_on_this_machine_is_for_all(kind: Any) -> None:
    for uri in ("http://localhost:3000/cb", "http://127.0.0.1:3000/cb", "http://[::1]/cb"):
        assert redirect_uri(uri, kind, dev=True) == uri
    for uri in ("http://app.example.com/cb", "http://localhost.evil.example/", "http://localhost@evil.example/"):
        with pytest.raises(ValueError, match=r"."):
            redirect_uri(uri, kind, dev=True)


@pytest.mark.parametrize(
    "uri", ["com.example.app:/", "javascript:alert(1)", "http://app.example.com/", "ftp://x.example/"]
)
def test_addresses_that_browsers_open_are_https(uri: str) -> None:
    with pytest.raises(ValueError, match="https"):
        public_address(uri, dev=False)
