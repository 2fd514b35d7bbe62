"""SM4 as HJ 212-2025 has it, against what its annexes print."""

from __future__ import annotations

import base64
import builtins
import random

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212.crc import crc16
from drivers.hj212.seal import (
    SealError,
    Sm4,
    is_patterned,
    is_sealed,
    read_key,
    seal,
    unseal,
    why_not,
)
from tests.drivers.hj212.vectors import TAKEN

KEY = Sm4(b"0" * 16)
# Annex A.2, examples 2 and 4: the key is sixteen times 0x30.
BLOCKS_1_TO_5 = """
    E43E159ACFAB242CB53155FB8B9281A1 A242577ABFAED881BE88B72D69FC55ED
    1A80119FAAC8B3CD33D285CC76F57F2C A7F88B9573C6647E0F07E24609BD6B63
    EB20C5B9784F28E71D2F4994FF61D9E1
"""
SEALED = {
    "A3": BLOCKS_1_TO_5
    + """
    C2B3075592B4D1E09C4D8BB27BE97B55 9E3DA6643781A6F477769DEEB009B10D
    FFF3426922725D607DC4480F0CAC5F70 DB2587B124BCB281592721D6E4BC180A
    97E5E111499CBE822E31C8D776155354 3AA24207C290997BBDE64F9266BC5F52
    9A172E381C1D898CA1A0D771A914A7B2 D7467C70B94F1D4A7B0350A48DBF8B41
    """,
    "A4": BLOCKS_1_TO_5
    + """
    3B391A1D2A454B65388D5D9435DBF021 528C7BF9755EF16518710C0CAC0ADEF9
    C5156CD0A5A17674AC0ED2ABC40023E9 EF70128554B82438E91ADCE98A0D03A4
    """,
}
TAIL = {"A3": b"", "A4": b"g=N"}


def plain(name):
    frame = TAKEN[name]
    return frame[6:-4].encode(), int(frame[-4:], 16)


@pytest.mark.parametrize("name", SEALED)
def test_the_examples_of_annex_a_are_met_byte_by_byte(name):
    segment, check = plain(name)
    head = segment[: segment.index(b"&&") + 2]

    sealed = seal(segment, KEY)

    assert sealed == head + bytes.fromhex(SEALED[name]) + TAIL[name] + b"&&"
    assert len(sealed) == len(segment)
    assert unseal(sealed, check, [KEY]) == segment


@pytest.mark.parametrize("name", SEALED)
def test_the_literal_form_is_as_printed(name):
    segment, check = plain(name)
    shown = ",".join(f"0x{byte:02X}" for byte in bytes.fromhex(SEALED[name]))

    sealed = seal(segment, KEY, "literal")

    assert sealed.endswith(b"CP=&&{%b}%b&&" % (shown.encode(), TAIL[name]))
    assert unseal(sealed, check, [KEY]) == segment


def test_annex_h_is_the_same_cipher():
    # Multimedia files: user and password, padded as PKCS7 has it.
    text = b"testuser:AezF0nZRs4kypuGO"
    padded = text + bytes([32 - len(text)]) * (32 - len(text))

    sealed = Sm4(b"msbE74gsiSHSEh5e").encrypt(padded)

    assert base64.b64encode(sealed) == b"LG/m7lsFU/taig+vbQsDJXy4NGAaE2j2lplPwhZM7iM="


@given(st.text("abcXYZ019-=;,.", max_size=120), st.sampled_from(["raw", "literal"]))
def test_what_was_sealed_is_opened(inside, form):
    segment = f"QN=20240520210700000;CP=&&{inside}&&".encode()
    other = Sm4(b"sixteen letters!")

    sealed = seal(segment, KEY, form)

    assert unseal(sealed, crc16(segment), [other, KEY]) == segment
    tail = len(inside) % 16
    assert sealed.endswith(segment[-2 - tail :])


def test_a_wrong_key_opens_nothing():
    segment, check = plain("A3")
    sealed = seal(segment, KEY)
    wrong = [Sm4(bytes([n, *range(15)])) for n in range(256)]

    # The check alone would let one key in 256 pass.
    assert unseal(sealed, check, wrong) is None
    assert unseal(sealed, check, []) is None


def test_plain_text_passes_and_damage_does_not():
    segment, check = plain("A3")

    assert unseal(segment, check, [KEY]) == segment
    assert unseal(segment.replace(b"1.35", b"1.36", 1), check, [KEY]) is None
    assert unseal(b"no segment at all", check, [KEY]) is None


def test_what_an_instrument_encrypts():
    sealed = {cn for cn in range(1000, 10_000) if is_sealed(cn)}

    assert sealed == {*range(2000, 3000), 1014, 3020}


def test_a_segment_without_values_stays_as_it_is():
    segment = b"QN=20240520210700000;CN=9015;CP=&&&&"

    assert seal(segment, KEY) == seal(segment, KEY, "literal") == segment
    with pytest.raises(ValueError, match="expected CP"):
        seal(b"QN=1", KEY)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("msbE74gsiSHSEh5e", b"msbE74gsiSHSEh5e"),
        ("0123456789abcdef0123456789ABCDEF", bytes.fromhex("0123456789abcdef" * 2)),
        ("0123456789abcdef", b"0123456789abcdef"),
    ],
)  # fmt: skip
def test_a_key_is_sixteen_characters_or_thirty_two_digits(text, key):
    assert read_key(text) == key


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 32, "密钥密钥密钥密钥密钥密钥密钥密钥", "a" * 15 + "\n"]
)
def test_no_message_repeats_what_is_no_key(text):
    with pytest.raises(SealError) as caught:
        read_key(text)

    assert not text or text not in str(caught.value)
    assert "msbE74gsiSHSEh5e" not in repr(Sm4(b"msbE74gsiSHSEh5e"))


@pytest.mark.parametrize(
    "key",
    ["0" * 16, "1234567890123456", "0123456789ABCDEF", "abcdefghijklmnop",
     "abcd1234abcd1234", "FEDCBA9876543210", "aaaaaaaabbbbbbbb", "\x03\x04" * 8],
)  # fmt: skip
def test_a_pattern_is_no_key(key):
    assert is_patterned(key.encode())


def test_random_keys_are_none(seed):
    rng = random.Random(seed)
    keys = [rng.randbytes(16) for _ in range(2000)]

    assert not is_patterned(b"msbE74gsiSHSEh5e")
    assert not any(is_patterned(key) for key in keys)


def test_it_says_what_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    assert why_not() is None
    monkeypatch.setattr(builtins, "__import__", without)

    assert "ecogate[hj212]" in str(why_not())
    assert why_not().cause == "package"


def test_it_says_that_openssl_has_no_sm4(monkeypatch):
    def refuse(_self):
        raise UnsupportedAlgorithm("cipher SM4 in ECB mode is not supported")

    monkeypatch.setattr(Cipher, "encryptor", refuse)

    assert "FIPS" in str(why_not())
    assert why_not().cause == "openssl"
    with pytest.raises(SealError, match="16 bytes"):
        Sm4(b"short")
