from vision.sources.login import Login, challenges

ASKED = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def test_strongest_challenge_first_and_unknown_ones_dropped():
    found = challenges(
        [
            'Basic realm="a", Digest realm="b, c", nonce="1", algorithm=MD5',
            'Digest realm="d", nonce="2", algorithm=SHA-256, qop="auth"',
            'Digest realm="e", nonce="3", algorithm=SHA-512-256',
            'Digest realm="f", nonce="4", qop="auth-int"',
            "Negotiate",
        ]
    )

    assert [one.kind for one in found] == ["SHA-256", "MD5", "BASIC"]
    assert found[1].parameters["realm"] == "b, c"


def test_digest_is_that_of_the_standards_example(monkeypatch):
    # RFC 7616, 3.9.1, the MD5 and SHA-256 answers.
    monkeypatch.setattr(
        "vision.sources.login.secrets.token_hex",
        lambda n: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        login = Login("Mufasa", "Circle of Life")
        assert login.challenged([ASKED.format(algorithm)])
        assert f'response="{response}"' in login.header("GET", "/dir/index.html")


def test_old_digest_without_qop_as_rtsp_cameras_ask():
    login = Login("admin", "12345")
    login.challenged(['Digest realm="IP Camera", nonce="63cbbee9"'])

    said = login.header("DESCRIBE", "rtsp://192.0.2.7:554/live")

    # MD5(MD5(admin:IP Camera:12345):63cbbee9:MD5(DESCRIBE:rtsp://192.0.2.7:554/live))
    assert "qop" not in said
    assert "cnonce" not in said
    assert len(said.split('response="')[1].split('"')[0]) == 32


def test_password_is_in_no_text():
    login = Login("admin", "hunter2")
    login.challenged(['Digest realm="r", nonce="n"'])

    assert "hunter2" not in repr(login) + login.header("GET", "/")
    assert Login("a", "b").header("GET", "/") is None
