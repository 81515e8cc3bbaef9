# SPDX-License-Identifier: MIT
"""Private keys that follow from labels, and signatures that follow from what they sign."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

SMALL_PRIMES = [p for p in range(3, 2000, 2) if all(p % d for d in range(3, int(p ** .5) + 1, 2))]
ORDERS = {curve: int(text, 16) for curve, text in {
    3: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    4: "ff" * 24 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    5: "01" + "ff" * 32 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
}.items()}
CURVES = {3: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}


def stream(label, bits):
    """A number of that many bits that follows from a label."""
    data, counter = b"", 0
    while 8 * len(data) < bits:
        data += hashlib.sha512(f"socle test vectors/{label}/{counter}".encode()).digest()
        counter += 1
    return int.from_bytes(data, "big") & (1 << bits) - 1


def is_prime(n):
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(label, bits, skip=0):
    """The first prime above a number that follows from label, p - 1 without the factor 65537.
    skip: how many candidates are known to be none, which saves looking at them."""
    n = (stream(label, bits) | 3 << bits - 2 | 1) + 2 * skip
    while n % 65537 == 1 or not is_prime(n):
        n += 2
    return n


def scalar(label, curve):
    return stream(label, 600) % (ORDERS[curve] - 1) + 1


def ecdsa(curve, private, digest):
    """(r, s) over the digest, with a number that follows from it. SHA-2 no longer than the curve."""
    order = ORDERS[curve]
    k = stream(digest.hex(), 600) % (order - 1) + 1
    r = ec.derive_private_key(k, CURVES[curve]).public_key().public_numbers().x % order
    return [r, pow(k, -1, order) * (int.from_bytes(digest, "big") + r * private) % order]
