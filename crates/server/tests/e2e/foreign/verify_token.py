"""Verifies a token with PyJWT, and sees that what must not verify does not.

Arguments: algorithm, the service's address, access token, refresh token, issuer and, for HS256, the
shared secret. Prints `ok`, or says what went wrong and exits with 1.
"""

import json
import sys
import urllib.request

import jwt

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def main() -> None:
    algorithm, base, access, refresh, issuer, *secret = sys.argv[1:]
    keys_url = base + "/.well-known/jwks.json"
    published = json.load(urllib.request.urlopen(keys_url))["keys"]
    for key in published:
        if PRIVATE & key.keys():
            fail(f"private members are published: {PRIVATE & key.keys()}")

    if secret:
        if published:
            fail("a key is published beside a shared secret")
        key, audience = secret[0], None
    else:
        key, audience = jwt.PyJWKClient(keys_url).get_signing_key_from_jwt(access), issuer

    claims = jwt.decode(
        access,
        key,
        algorithms=[algorithm],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "iss", "sub", "jti"]},
    )
    if claims["token_type"] != "access" or claims["user_id"] != claims["sub"]:
        fail(f"unexpected claims: {claims}")

    try:
        jwt.decode(refresh, key, algorithms=[algorithm, "HS256"], options={"verify_aud": False})
        fail("a refresh token verifies with what is published")
    except (jwt.InvalidTokenError, TypeError):
        pass
    print("ok")


def fail(reason: str) -> None:
    print(reason, file=sys.stderr)
    sys.exit(1)


main()
