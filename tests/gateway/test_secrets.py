from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import gateway
from gateway.config.model import MqttTarget
from gateway.config.targets import KEYS
from gateway.secrets import (
    Secret,
    SecretError,
    check_modes,
    key_password_of,
    password_of,
    private_key_of,
    read_secret,
)

ROOT = Path(gateway.__file__).parents[1]
CANARY = "canary-4711"


def kept(path, mode=0o600, content=f"{CANARY}\n"):
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_file_for_its_owner_and_group_is_read_without_its_line_end(mode, tmp_path):
    file = kept(tmp_path / "secret", mode, f"{CANARY}\r\n")

    assert read_secret(Secret("password_file", file=file)) == CANARY


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602, 0o666, 0o777])
def test_a_file_that_others_can_get_at_is_refused_with_the_command(mode, tmp_path):
    file = kept(tmp_path / "secret", mode)

    with pytest.raises(SecretError, match=rf"chmod g-w,o-rwx {file}") as refused:
        read_secret(Secret("password_file", file=file))

    assert refused.value.code == "modes"
    os.system(str(refused.value).rpartition(": ")[2])  # noqa: S605 - what it says
    assert read_secret(Secret("password_file", file=file)) == CANARY


def test_a_certificate_may_be_read_by_all_and_written_by_nobody_else(tmp_path):
    check_modes(kept(tmp_path / "cert", 0o644), "cert", secret=False)
    with pytest.raises(SecretError, match=r"anybody can change .* chmod o-w "):
        check_modes(kept(tmp_path / "cert", 0o646), "cert", secret=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path):
    file = kept(tmp_path / "secret")
    os.chown(file, 4711, 4711)

    with pytest.raises(SecretError, match=r"another user \(uid 4711\).*chown root"):
        read_secret(Secret("password_file", file=file))


def test_what_is_no_ordinary_file_is_refused(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)

    for place in (tmp_path, fifo):
        with pytest.raises(SecretError, match="no ordinary file"):
            read_secret(Secret("password_file", file=place))


def test_bytes_that_are_no_text_are_not_shown(tmp_path):
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_bytes(b"canary\xff\xfe4711")

    with pytest.raises(SecretError, match="holds no text in UTF-8") as refused:
        read_secret(Secret("password_file", file=file))

    assert "canary" not in f"{refused.value}{refused.value.__cause__}"
    assert refused.value.__suppress_context__


def test_a_place_where_nothing_is_is_not_repeated(tmp_path, monkeypatch):
    # It may be the secret itself, put where its place belongs.
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    for secret in (
        Secret("password_file", file=tmp_path / CANARY),
        Secret("password_env", env=CANARY),
        Secret("password_credential", credential=CANARY),
    ):
        with pytest.raises(SecretError, match=rf"^{secret.key}: ") as absent:
            read_secret(secret)
        assert CANARY not in str(absent.value)


def test_a_systemd_credential_is_read_where_systemd_puts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    kept(tmp_path / "platform-password", 0o400)

    found = read_secret(Secret("password_credential", credential="platform-password"))

    assert found == CANARY


def test_a_target_says_where_its_secrets_are_and_never_what_they_are(tmp_path):
    file = kept(tmp_path / "secret")
    target = MqttTarget(
        name="p",
        host="h",
        password_file=file,
        key_credential="key",
        key_password_env="KEY_PASSWORD",  # noqa: S106 - a name
    )

    assert password_of(target) == Secret("password_file", file=file)
    assert private_key_of(target) == Secret("key_credential", credential="key")
    assert key_password_of(target) == Secret("key_password_env", env="KEY_PASSWORD")
    assert password_of(MqttTarget(name="p", host="h")) is None
    assert CANARY not in repr(target)


def test_nothing_can_switch_verification_off():
    # Neither the code nor a key of the site file knows how.
    off = re.compile(
        r"CERT_NONE|CERT_OPTIONAL|tls_insecure|_create_unverified|check_hostname\s*=|"
        r"verify_mode\s*=|TLSv1\b|TLSv1_1|SECLEVEL"
    )
    sources = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "systemd").glob("*")]
    found = [
        f"{source.name}: {match[0]}"
        for source in sources
        if (match := off.search(source.read_text("utf-8")))
    ]
    keys = [key for key in KEYS if re.search("insecure|verify|trust|skip|check", key)]

    assert found == []
    assert keys == []
