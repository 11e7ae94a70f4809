"""RSA keys from a seed, so that a whole PKI is the same byte for byte. For tests only: the seed gives the keys."""

from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.population.chance import Chance

BITS, EXPONENT = 2048, 65537
_SIEVE = 20_000


def _primes(limit: int) -> tuple[int, ...]:
    marked = bytearray([1]) * limit
    for one in range(2, int(limit**0.5) + 1):
        if marked[one]:
            marked[one * one :: one] = bytes(len(range(one * one, limit, one)))
    return tuple(one for one in range(3, limit) if marked[one])


SMALL_PRIMES = _primes(100_000)


def rsa_key(chance: Chance) -> rsa.RSAPrivateKey:
    """A key of 2048 bits. FIPS 186-5 A.1.3, with a predictable source"""
    while True:
        p, q = _prime(chance), _prime(chance)
        modulus = p * q
        if p == q or modulus.bit_length() != BITS:
            continue
        private = pow(EXPONENT, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(
            p=p,
            q=q,
            d=private,
            dmp1=rsa.rsa_crt_dmp1(private, p),
            dmq1=rsa.rsa_crt_dmq1(private, q),
            iqmp=rsa.rsa_crt_iqmp(p, q),
            public_numbers=rsa.RSAPublicNumbers(EXPONENT, modulus),
        )
        try:
            return numbers.private_key()
        except ValueError:  # one of them is no prime
            continue


def _prime(chance: Chance) -> int:
    """The first prime at or after a drawn number with its two highest bits set; found by a sieve."""
    bits = BITS // 2
    start = chance.integer(bits) | (3 << (bits - 2)) | 1
    composite = bytearray(_SIEVE)
    for small in SMALL_PRIMES:
        first = (-start * ((small + 1) // 2)) % small
        composite[first::small] = b"\x01" * len(range(first, _SIEVE, small))
    for step in range(_SIEVE):
        candidate = start + 2 * step
        if not composite[step] and candidate % EXPONENT != 1 and _is_probable_prime(candidate):
            return candidate
    return _prime(chance)


def _is_probable_prime(number: int) -> bool:
    """Fermat with the base 2 rules out nearly all there is to rule out; the library proves the rest with the key."""
    return pow(2, number - 1, number) == 1
