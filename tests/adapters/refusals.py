"""What kgl refuses in a token though the signature is right, with the reasons that it gives.

It is stricter than the standards ask of others: no token of its own has any of this.
"""

import json
from typing import Any

from kgl_core.access.tokens import new_opaque
from tests.adapters.keys import MISSING, NOW, PAYLOAD, ec_key, jwk

IAT, EXP = int(NOW.timestamp()), int(NOW.timestamp()) + 900
NOT_ACCESS = "it is not an access token"
ALGORITHM = "it is signed with another algorithm"
KEY = "its key is not known here"
SIGNATURE = "its signature is wrong"
HEADER = "its header holds more than alg, kid and typ"
PUBLIC_JWK = {name: value for name, value in jwk(ec_key(7)).items() if name != "d"}


HEADERS: list[tuple[str, list[Any], str]] = [
    ("alg", ["none", "None", "NONE", "nOnE", "", "HS512", "RS256", "EdDSA", "HS256 ", "hs256", MISSING], ALGORITHM),
    ("alg", [None, True, 5, ["HS256"], ["ES256"], {"alg": "HS256"}], ALGORITHM),
    ("typ", ["JWT", "jwt", "none", "", "at+jwt ", "x/at+jwt", "refresh+jwt", "logout+jwt", MISSING], NOT_ACCESS),
    ("typ", [None, 1, ["at+jwt"], {"at+jwt": 1}], NOT_ACCESS),
    ("kid", ["../../dev/null", "/dev/null", "", "' OR 1=1 --", "secret\0", "\ud800", "SECRET", "0", MISSING], KEY),
    ("kid", [None, 0, True, ["secret"], {"kid": "secret"}], KEY),
    ("crit", [["exp"], [], ["b64"], None, 5, "exp"], HEADER),
    ("b64", [True, False], HEADER),
    ("jku", ["https://evil.example/jwks.json", "file:///etc/passwd"], HEADER),
    ("jwk", [PUBLIC_JWK, None], HEADER),
    ("x5u", ["https://evil.example/cert.pem"], HEADER),
    ("x5c", [["MIIB"]], HEADER),
    ("x5t", ["AAAA"], HEADER),
    ("cty", ["JWT"], HEADER),
    ("zip", ["DEF"], HEADER),
    ("enc", ["A256GCM"], HEADER),
    ("note", [[[[[]]]], "x" * 1000], HEADER),
]


def missing(claim: str) -> str:
    """The reason for a claim that is not as it must be."""
    return f"its {claim} is missing or malformed"


NO_INSTANTS = [MISSING, None, True, "", str(EXP), float(EXP), EXP + 0.5, 1e300, -1, 10**18, 2**70, [EXP], {"exp": EXP}]
NO_IDS = [MISSING, None, 7, "", "ada@example.org", "root", "01890a5dac96774bbcceb302099a8057", [], {"id": 1}]
PAYLOADS: list[tuple[str, list[Any], str]] = [
    (
        "iss",
        [MISSING, None, "", "backend", "backend-module ", "BACKEND-MODULE", 1, ["backend-module"]],
        "another issuer",
    ),
    (
        "aud",
        [MISSING, None, "", "kgl", "KGL-API", "kgl-api kgl", [], ["kgl"], [["kgl-api"]], {"kgl-api": 1}, 0],
        "audience",
    ),
    ("exp", [0, 1, IAT, IAT - 1], "it has expired"),
    ("exp", NO_INSTANTS, missing("exp")),
    ("iat", NO_INSTANTS, missing("iat")),
    ("iat", [IAT + 61, EXP], "it is not valid yet"),
    ("nbf", [value for value in NO_INSTANTS if value is not MISSING], missing("nbf")),
    ("nbf", [IAT + 61, EXP], "it is not valid yet"),
    ("sub", NO_IDS, missing("sub")),
    ("jti", NO_IDS, missing("jti")),
    ("role", [MISSING], missing("role or scope")),
    ("role", [None, "", "root", "Admin", "admin ", 1, True, ["admin"], {"admin": 1}], missing("role")),
    ("auth_version", [MISSING, None, 0, -1, True, "3", 3.0, 2**63, [3]], missing("auth_version")),
    ("client_id", [MISSING, None, "", 7, "a\nb", "nul\0", "\ud800", "x" * 256, ["kgl"]], missing("client_id")),
]


DEEP = b"[" * 3000
NO_OBJECTS = [
    b"",
    b" ",
    b"[]",
    b"null",
    b'"alg"',
    b"5",
    b"{",
    b"{}x",
    b"\xff",
    b"\x00",
    DEEP,
    b'{"a":' + DEEP,
    b'{"exp":NaN}',
    b'{"exp":-Infinity}',
    b'{"exp":' + b"9" * 5000 + b"}",
    b"{'exp':1}",
    json.dumps(PAYLOAD).encode("utf-16"),
    json.dumps(PAYLOAD)[:-1].encode() + b',"iss":"backend-module"}',
    json.dumps(PAYLOAD)[:-1].encode() + b',"role":"admin"}',
]


def reshaped(token: str) -> dict[str, Any]:
    """Forms that a token must not have, with something of a right one in them."""
    header, payload, signature = token.split(".")
    return {
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "words": "a.b.c",
        "one part": header,
        "two parts": f"{header}.{payload}",
        "unsigned": f"{header}.{payload}.",
        "detached": f"{header}..{signature}",
        "headless": f".{payload}.{signature}",
        "four parts": f"{token}.{signature}",
        "five parts": f"{token}.{payload}.{signature}",
        "general JSON": json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}),
        "flat JSON": json.dumps({"payload": payload, "protected": header, "signature": signature}),
        "padded": f"{header}=.{payload}.{signature}",
        "padded signature": f"{token}==",
        "space before": f" {token}",
        "space after": f"{token} ",
        "newline": f"{token}\n",
        "newline within": f"{header}.\n{payload}.{signature}",
        "crlf": f"{token}\r\n",
        "scheme": f"Bearer {token}",
        "nul": f"{token}\0",
        "percent": token.replace(".", "%2E"),
        "other alphabet": f"{header}.{payload}.{signature}+/",
        "full width": token.replace(".", "\uff0e"),
        "lone surrogate": f"{token}\ud800",
        "digits of another script": f"{token}\u0661",
        "twice": f"{token},{token}",
        "huge": "a" * 2**20,
        "huge parts": ".".join(["a" * 2**19] * 3),
        "many dots": "." * 2**20,
        "huge payload": f"{header}.{payload}{'A' * 8192}.{signature}",
        "a refresh token": new_opaque(lambda size: bytes(range(size))),
        "bytes": token.encode(),
        "none": None,
        "a number": 5,
        "a list": [token],
    }
