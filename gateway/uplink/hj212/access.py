"""Password and key of one target: the site file's, or what the platform set since.

They are read when they are first wanted and again with each connection, so that whoever
puts another file in place does not have to restart anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.hj212.seal import SealError, is_patterned, read_key
from gateway.secrets import Secret, SecretError, path_of, read_secret
from gateway.texts import t
from gateway.uplink.hj212.keys import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target
    from gateway.uplink.hj212.vault import Vault


def password_secret(conf: Hj212Target) -> Secret | None:
    """Where the site file says the password is."""
    places = (conf.password_file, conf.password_env, conf.password_credential)
    return None if places == (None, None, None) else Secret("password", *places)


def key_secret(conf: Hj212Target) -> Secret | None:
    """Where the site file says the key is."""
    places = (conf.key_file, conf.key_env, conf.key_credential)
    return None if places == (None, None, None) else Secret("key", *places)


class Access:
    """Of one target."""

    def __init__(
        self, conf: Hj212Target, vault: Vault, wall_ms: Callable[[], int]
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            conf: The target.
            vault: What the platform set.
            wall_ms: UTC ms.
        """
        self._conf = conf
        self._vault = vault
        self._wall_ms = wall_ms
        self._password = ""
        self._site_password = self._site_key = ""
        self._keyring: Keyring | None = None

    def __repr__(self) -> str:
        return f"Access({self._conf.name!r})"

    @property
    def password(self) -> str:
        """PW as it holds; empty: the site file names none.

        Raises:
            SecretError: It cannot be read.
        """
        if not self._password:
            self._read_password()
        return self._password

    @property
    def keyring(self) -> Keyring | None:
        """The keys of the connection; None: nothing is encrypted."""
        return self._keyring

    def open(self) -> Keyring | None:
        """Read everything again, for a new connection.

        Raises:
            SecretError: Something cannot be read, or there is no SM4 here.
        """
        self._read_password()
        self._read_key()
        return self._keyring

    def keep_password(self, password: str) -> None:
        """Have another password from now on, also after a restart. Blocks.

        Raises:
            OSError: The disk refused it; the one before stands.
        """
        since_ms = self._wall_ms()
        self._vault.keep("password", password, self._site_password, since_ms=since_ms)
        self._password = password

    def keep_key(self, text: str) -> bool:
        """Keep another key; ``use_key`` puts it in force. Blocks.

        Returns:
            Whether it is a pattern, and so none in truth.

        Raises:
            SealError: It is no key.
            OSError: The disk refused it.
        """
        weak = is_patterned(read_key(text))
        before = self._keyring.text if self._keyring else ""
        since_ms = self._wall_ms()
        self._vault.keep("key", text, self._site_key, since_ms=since_ms, before=before)
        return weak

    def use_key(self, text: str) -> None:
        """Encrypt with this from now on; the one before opens frames for a while."""
        if self._keyring is not None:
            self._keyring.replace(text, self._wall_ms())

    def _read_password(self) -> None:
        secret = password_secret(self._conf)
        if secret is None:
            return
        self._site_password = read_secret(secret)
        self._password, *_ = self._vault.recall("password", self._site_password)

    def _read_key(self) -> None:
        secret = key_secret(self._conf)
        if secret is None:
            return
        self._site_key = read_secret(secret)
        text, before, since_ms = self._vault.recall("key", self._site_key)
        if not since_ms and secret.env is None:
            since_ms = int(path_of(secret).stat().st_mtime * 1000)
        if self._keyring is not None and self._keyring.text == text:
            return
        try:
            self._keyring = Keyring(
                text,
                before,
                since_ms=since_ms,
                form=self._conf.sealed,
                wall_ms=self._wall_ms,
            )
        except SealError as exc:
            raise SecretError(
                t(f"config.hj212_seal_{exc.cause}", found=len(text))
            ) from None
