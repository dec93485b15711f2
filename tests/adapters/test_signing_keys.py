"""Keys that sign tokens: how they are read and rotated, what is published of them, and what is said of bad ones."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from kgl_adapters.security.access_tokens import make_signer
from kgl_adapters.security.signing_keys import InvalidKeys, read_keys
from kgl_core import KglError
from kgl_core.kernel.errors import InvalidToken
from tests.adapters.keys import (
    CLAIMS,
    KEYS,
    NOW,
    PAYLOAD,
    SECRET,
    ec_key,
    ed_key,
    jwk,
    pem,
    public_pem,
    ring,
    signer_of,
    verified,
)


def filled(folder: Path, **files: Any) -> Path:
    """A folder with these files; an object is written as JSON. The dash and dot of a name are __ and _ here."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / name.replace("__", "-").replace("_", ".")).write_bytes(text)
    return folder


def key_set(file: Path, *keys: Any) -> Path:
    """A JWK Set of these keys."""
    file.write_text(json.dumps({"keys": keys}))
    return file


@pytest.mark.parametrize("alg", list(KEYS))
def test_pem_jwk_and_a_set_give_the_same_keys(alg: str, tmp_path: Path) -> None:
    """In a folder or in one file, the same keys have the same kids, and are published alike, the active one first."""
    active, following, old, older = (KEYS[alg](number) for number in (7, 8, 9, 10))
    folder = filled(
        tmp_path / "folder",
        active_pem=pem(active),
        next__1_pem=pem(following),
        retired__1_jwk=jwk(old),
        retired__2_json=jwk(older, use="sig", alg=alg, key_ops=["sign", "verify"]),
        _hidden=b"passed over",
    )
    file = key_set(
        tmp_path / "keys.json",
        jwk(old, status="retired"),
        jwk(active, status="active", note="ours"),
        jwk(following, status="next"),
        jwk(older, status="retired"),
    )
    sets = [signer_of(alg, read_keys(str(path), alg)).jwks()["keys"] for path in (folder, file)]
    assert sets[0] == sets[1]
    assert [key["x"] for key in sets[0]] == [jwk(key)["x"] for key in (active, following, old, older)]


@pytest.mark.parametrize("alg", list(KEYS))
def test_rotating_keys_keeps_tokens_alive(alg: str, tmp_path: Path) -> None:
    """Published before it signs, taken after it signed, gone when its file is."""
    old, new, spare = (KEYS[alg](number) for number in (7, 8, 9))
    before = signer_of(alg, ring(tmp_path, alg, **{"active-2026": old, "next-2027": new}))
    first = before.sign(CLAIMS)
    (tmp_path / "active-2026.pem").rename(tmp_path / "retired-2026.pem")
    (tmp_path / "next-2027.pem").rename(tmp_path / "active-2027.pem")
    after = signer_of(alg, ring(tmp_path, alg, **{"next-2028": spare}))
    second = after.sign(CLAIMS)
    for signer in (before, after):
        assert signer.verify(first, NOW) == signer.verify(second, NOW) == CLAIMS
    published = after.jwks()["keys"]
    assert verified(second, published[0]) == verified(first, published[2]) == PAYLOAD
    assert published[2]["kid"] == before.jwks()["keys"][0]["kid"]
    (tmp_path / "retired-2026.pem").unlink()
    last = signer_of(alg, read_keys(str(tmp_path), alg))
    assert last.verify(second, NOW) == CLAIMS
    with pytest.raises(InvalidToken, match="its key is not known here"):
        last.verify(first, NOW)


def test_a_kid_is_the_thumbprint_unless_given(tmp_path: Path) -> None:
    """As RFC 8037, appendix A.3, computes it for the key of A.1; a JWK's own kid goes before it."""
    given = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    assert read_keys(str(filled(tmp_path, active_jwk=given)), "Ed25519").active == (
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )
    filled(tmp_path, active_jwk=given | {"kid": "lab 2026"})
    assert read_keys(str(tmp_path), "Ed25519").active == "lab 2026"


def test_other_forms_of_pem_are_taken(tmp_path: Path) -> None:
    """What older commands of openssl write: SEC 1 for elliptic curves, with the curve's name before it or not."""
    traditional = ec_key(7).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    kids = {
        read_keys(str(filled(tmp_path, active_pem=content)), "ES256").active
        for content in (pem(ec_key(7)), traditional, parameters + traditional)
    }
    assert len(kids) == 1


def test_a_single_key_of_a_set_is_the_active_one(tmp_path: Path) -> None:
    """It needs no status."""
    keys = read_keys(str(key_set(tmp_path / "keys.json", jwk(ed_key(7), kid="one"))), "Ed25519")
    assert signer_of("Ed25519", keys).verify(signer_of("Ed25519", keys).sign(CLAIMS), NOW) == CLAIMS
    assert keys.active == "one"


ANY_KEY = jwk(ec_key(7))
WITHOUT_D = {name: value for name, value in ANY_KEY.items() if name != "d"}
NOT_A_KEY = "it is no P-256 key as PEM or JWK; make one for ES256: openssl genpkey"
PURPOSE = "its use, key_ops or alg are for something else; leave use, key_ops and alg out"
KID = "its kid cannot be used; give up to 100 printable characters, or none"
STATUS = "its status is missing or unknown; set status to one of active, next, retired"
NO_SET = "it is no JWK Set; give "


def explained(path: Path) -> str:
    """The message of the refusal of ``path`` for ES256, which shows nothing of a key, however it is printed."""
    with pytest.raises(InvalidKeys) as caught:
        read_keys(str(path), "ES256")
    assert isinstance(caught.value, KglError)
    assert caught.value.code == "invalid_keys"
    message = str(caught.value)
    assert message.count("; ") >= 1
    for shown in (message, repr(caught.value), str(caught.value.__cause__)):
        assert ANY_KEY["d"] not in shown
        assert "PRIVATE" not in shown
    return message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", NOT_A_KEY),
        (b"not a key", NOT_A_KEY),
        (b"\xff\x00", NOT_A_KEY),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NOT_A_KEY),
        (pem(ec_key(7))[:-40], NOT_A_KEY),
        (pem(ec_key(7, ec.SECP384R1())), NOT_A_KEY),
        (pem(ec_key(7, ec.SECP256K1())), NOT_A_KEY),
        (pem(ec_key(7, ec.BrainpoolP256R1())), NOT_A_KEY),
        (pem(ed_key(7)), NOT_A_KEY),
        (pem(rsa.generate_private_key(65537, 1024)), NOT_A_KEY),
        (pem(ec_key(7), BestAvailableEncryption(b"passphrase")), "it is encrypted; store it without a passphrase"),
        (public_pem(ec_key(7)), "it is a public key; put the private key there"),
        (WITHOUT_D, "it is a public key; put the private key there"),
        ({}, NOT_A_KEY),
        ([ANY_KEY], NOT_A_KEY),
        ({"keys": [ANY_KEY]}, NOT_A_KEY),
        ({"kty": "oct", "k": "c2VjcmV0"}, NOT_A_KEY),
        (jwk(ed_key(7)), NOT_A_KEY),
        (ANY_KEY | {"kty": "OKP"}, NOT_A_KEY),
        (ANY_KEY | {"crv": "P-384"}, NOT_A_KEY),
        (ANY_KEY | {"crv": "P-999"}, NOT_A_KEY),
        (ANY_KEY | {"d": ""}, NOT_A_KEY),
        (ANY_KEY | {"d": "!"}, NOT_A_KEY),
        (ANY_KEY | {"d": 5}, NOT_A_KEY),
        (ANY_KEY | {"d": ANY_KEY["x"]}, NOT_A_KEY),
        (ANY_KEY | {"x": ANY_KEY["y"]}, NOT_A_KEY),
        (json.dumps(ANY_KEY)[:-1].encode() + b', "d": "AAAA"}', NOT_A_KEY),
        (ANY_KEY | {"use": "enc"}, PURPOSE),
        (ANY_KEY | {"alg": "ES384"}, PURPOSE),
        (ANY_KEY | {"key_ops": ["verify"]}, PURPOSE),
        (ANY_KEY | {"kid": ""}, KID),
        (ANY_KEY | {"kid": None}, KID),
        (ANY_KEY | {"kid": 5}, KID),
        (ANY_KEY | {"kid": "x" * 101}, KID),
        (ANY_KEY | {"kid": "a\nb"}, KID),
        (ANY_KEY | {"kid": "\ud800"}, KID),
    ],
    ids=range(36),
)
def test_a_file_that_holds_no_such_key_is_explained(content: Any, problem: str, tmp_path: Path) -> None:
    """Which file, what is wrong and what to do; in a set, which key."""
    folder = filled(tmp_path / "keys", active_pem=content)
    assert explained(folder).startswith(f"{folder}/active.pem: {problem}")
    if isinstance(content, dict) and content:
        file = key_set(tmp_path / "keys.json", ANY_KEY | {"status": "active"}, content | {"status": "next"})
        assert explained(file).startswith(f"{file}, key 2: {problem}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", NO_SET),
        (pem(ec_key(7)), NO_SET),
        (b"\xff", NO_SET),
        (b"[" * 100_000, NO_SET),
        ([], NO_SET),
        ({}, NO_SET),
        (ANY_KEY, NO_SET),
        ({"keys": []}, NO_SET),
        ({"keys": ANY_KEY}, NO_SET),
        ({"keys": ["text"]}, "key 1: it is not an object; give a private key as JWK"),
        ({"keys": [ANY_KEY | {"status": "Active"}]}, f"key 1: {STATUS}"),
        ({"keys": [ANY_KEY | {"status": ["active"]}]}, f"key 1: {STATUS}"),
        ({"keys": [ANY_KEY | {"status": "active"}, jwk(ec_key(8))]}, f"key 2: {STATUS}"),
        ({"keys": [ANY_KEY | {"status": "next"}]}, "it holds 0 active keys; make exactly one active"),
    ],
    ids=range(14),
)
def test_a_file_that_is_no_set_is_explained(content: Any, problem: str, tmp_path: Path) -> None:
    """With the number of the key where it is about one."""
    filled(tmp_path, keys_json=content)
    message = explained(tmp_path / "keys.json")
    assert re.match(re.escape(f"{tmp_path}/keys.json") + "(: |, )" + re.escape(problem), message), message


def test_a_folder_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    """No active key or two, one kid twice, a name that says no status, and what cannot be read."""
    one, two = pem(ec_key(7)), pem(ec_key(8))
    exactly = "make exactly one active, the others next or retired"
    empty = filled(tmp_path / "empty")
    assert explained(empty) == f"{empty}: it holds 0 active keys; {exactly}"
    inactive = filled(tmp_path / "inactive", next_pem=one, retired_pem=two)
    assert explained(inactive) == f"{inactive}: it holds 0 active keys; {exactly}"
    both = filled(tmp_path / "both", active_pem=one, active__2_pem=two)
    assert explained(both) == f"{both}: it holds 2 active keys; {exactly}"
    twice = filled(tmp_path / "twice", active_pem=one, next_pem=one)
    assert explained(twice) == (f"{twice}/next.pem: it has the same kid as {twice}/active.pem; keep one of them")
    alike = filled(tmp_path / "alike", active_jwk=ANY_KEY | {"kid": "a"}, next_jwk=jwk(ec_key(8), kid="a"))
    assert explained(alike).endswith(f"the same kid as {alike}/active.jwk; keep one of them")
    stray = filled(tmp_path / "stray", active_pem=one, old_pem=two)
    assert explained(stray) == (
        f"{stray}/old.pem: its name begins with none of active, next, retired; rename it, or move it away"
    )
    check = "check JWT_KEYS, and who may read it"
    nowhere = tmp_path / "nowhere"
    assert explained(nowhere) == f"{nowhere}: it cannot be read (No such file or directory); {check}"
    (tmp_path / "nested" / "active").mkdir(parents=True)
    assert explained(tmp_path / "nested") == (f"{tmp_path}/nested/active: it cannot be read (Is a directory); {check}")
    dangling = filled(tmp_path / "dangling", active_pem=one)
    (dangling / "next.pem").symlink_to(tmp_path / "gone")
    assert explained(dangling) == f"{dangling}/next.pem: it cannot be read (No such file or directory); {check}"


def test_an_ed25519_key_whose_halves_differ_is_explained(tmp_path: Path) -> None:
    """Else another key than the one that signs would be published."""
    folder = filled(tmp_path, active_jwk=jwk(ed_key(7)) | {"x": jwk(ed_key(8))["x"]})
    with pytest.raises(InvalidKeys, match=r"active\.jwk: its x or y is not that of its d; export both"):
        read_keys(str(folder), "Ed25519")


@pytest.mark.parametrize(
    "key", [x25519.X25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate(), ec_key(7)], ids=["x", "448", "ec"]
)
def test_ed25519_takes_its_own_curve_only(key: Any, tmp_path: Path) -> None:
    """Its relatives sign differently or not at all."""
    with pytest.raises(InvalidKeys, match="it is no Ed25519 key as PEM or JWK; make one for Ed25519: openssl genpkey"):
        read_keys(str(filled(tmp_path, active_pem=pem(key))), "Ed25519")


def test_an_old_name_of_ed25519_is_explained(tmp_path: Path) -> None:
    """EdDSA is deprecated by RFC 9864, as it leaves the curve open."""
    with pytest.raises(InvalidKeys, match="leave use, key_ops and alg out, or set use to sig and alg to Ed25519"):
        read_keys(str(filled(tmp_path, active_jwk=jwk(ed_key(7), alg="EdDSA"))), "Ed25519")


@pytest.mark.parametrize("alg", ["HS256", "none", "RS256", "", "EdDSA"])
def test_other_algorithms_take_no_keys(alg: str, tmp_path: Path) -> None:
    """HS256 has its secret; the rest is not offered."""
    filled(tmp_path, active_pem=pem(ec_key(7)))
    with pytest.raises(InvalidKeys, match=f"^JWT_ALG: {alg} takes no keys; set it to ES256 or Ed25519, or leave"):
        read_keys(str(tmp_path), alg)


def test_a_signer_needs_what_its_algorithm_signs_with(tmp_path: Path) -> None:
    """Keys for ES256 and Ed25519, and for no other algorithm than theirs; a strong secret for HS256."""
    keys = ring(tmp_path, "ES256", active=ec_key(7))
    for alg, given in (("ES256", None), ("Ed25519", None), ("Ed25519", keys), ("none", None), ("none", keys)):
        with pytest.raises(
            InvalidKeys, match=f"^JWT_KEYS: it holds no keys for {alg}; read the keys for the algorithm"
        ):
            make_signer(alg, secret=SECRET, keys=given, issuer="i", audience="a")
    advice = "set it to 32 random bytes or more, such as openssl rand -base64 48 prints"
    for secret, problem in (
        (None, "it has less than 32 bytes"),
        ("", "it has less than 32 bytes"),
        ("x" * 31, "it has less than 32 bytes"),
        (public_pem(ec_key(7)).decode(), "it is a public key, or not UTF-8"),
        ("\ud800" * 32, "it is a public key, or not UTF-8"),
    ):
        with pytest.raises(InvalidKeys) as caught:
            make_signer("HS256", secret=secret, keys=None, issuer="i", audience="a")
        assert str(caught.value) == f"JWT_SECRET: {problem}; {advice}"
    for secret in ("\xe9" * 16, os.fsdecode(b"\xff" * 32)):
        signer = make_signer("HS256", secret=secret, keys=None, issuer="i", audience="a")
        assert signer.verify(signer.sign(CLAIMS), NOW) == CLAIMS


def test_no_key_is_shown(tmp_path: Path) -> None:
    """Neither a ring nor a signer shows what it holds, and only one private key stays in memory at all."""
    keys = ring(tmp_path, "ES256", active=ec_key(7), next=ec_key(8))
    assert repr(keys) == f"KeyRing(alg='ES256', active='{keys.active}')"
    assert "object at" in repr(signer_of("ES256", keys))
    assert not any(key.is_private for key in keys.verifying.values())
