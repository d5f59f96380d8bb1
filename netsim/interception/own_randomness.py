"""Libraries that draw randomness for themselves, in C, where it cannot be replaced: they are told.

It is told when they draw, and not when they are imported: most programs that import `cryptography`
only compare hashes. What asks Python for its random bytes (Fernet, PyNaCl, pycryptodome) repeats.
Told as well is a library that names its objects to others by where they lie in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from netsim.interception.after_import import AfterImport
from netsim.interception.c_functions import set_in_type

_DRAWING: Final[dict[str, tuple[str, ...]]] = {
    "cryptography.hazmat.bindings._rust": (
        "openssl.rsa.generate_private_key",
        "openssl.rsa.RSAPublicKey.encrypt",
        "openssl.rsa.RSAPrivateKey.sign",
        "openssl.ec.generate_private_key",
        "openssl.ec.ECPrivateKey.sign",
        "openssl.ed25519.generate_key",
        "openssl.ed448.generate_key",
        "openssl.x25519.generate_key",
        "openssl.x448.generate_key",
        "openssl.dsa.generate_parameters",
        "openssl.dsa.DSAParameters.generate_private_key",
        "openssl.dsa.DSAPrivateKey.sign",
        "openssl.dh.generate_parameters",
        "openssl.dh.DHParameters.generate_private_key",
        "openssl.aead.AESCCM.generate_key",
        "openssl.aead.AESGCM.generate_key",
        "openssl.aead.AESGCMSIV.generate_key",
        "openssl.aead.AESOCB3.generate_key",
        "openssl.aead.AESSIV.generate_key",
        "openssl.aead.ChaCha20Poly1305.generate_key",
        "openssl.mldsa.generate_mldsa44_key",
        "openssl.mldsa.generate_mldsa65_key",
        "openssl.mldsa.generate_mldsa87_key",
        "openssl.mlkem.generate_mlkem768_key",
        "openssl.mlkem.generate_mlkem1024_key",
        "pkcs12.serialize_key_and_certificates",
        "pkcs7.encrypt_and_serialize",
        "x509.create_x509_certificate",
        "x509.create_x509_crl",
        "x509.create_x509_csr",
    ),
    "nacl.bindings": (
        "crypto_box_keypair",
        "crypto_box_seal",
        "crypto_kx_keypair",
        "crypto_pwhash_scryptsalsa208sha256_str",
        "crypto_pwhash_str_alg",
        "crypto_secretstream_xchacha20poly1305_init_push",
        "crypto_secretstream_xchacha20poly1305_keygen",
        "crypto_sign_keypair",
        "randombytes",
    ),
    "bcrypt": ("gensalt",),
    "uuid_utils": ("uuid1", "uuid4", "uuid6", "uuid7"),
}
"""Functions and methods that draw, by the module that has them; not all versions have all."""
_NAMING: Final[dict[str, tuple[str, ...]]] = {"rpyc.core.protocol": ("get_id_pack",)}
"""Functions that name an object by its address, by the module that calls them."""
_TOLD: Final = _DRAWING | _NAMING
_SIGN: Final = ("RSAPrivateKey.sign", "x509_certificate", "x509_crl", "x509_csr")
_SIGN_AT_RANDOM: Final = frozenset({"PSS", "ECPrivateKey", "DSAPrivateKey"})
"""Types among the arguments of `_SIGN` with which a signature is drawn, and not only computed."""


class OwnRandomness:
    """Has a function called with what a library did: draw, or name an object by its address."""

    def __init__(self, on_draw: Callable[[str], None]) -> None:
        self._on_draw = on_draw
        self._imports = AfterImport(_TOLD, self._watch)
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """From now on it is called, also of libraries that are imported later."""
        self._imports.install()

    def uninstall(self) -> None:
        """Put back what was."""
        self._imports.uninstall()
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def _watch(self, module: ModuleType) -> None:
        library = module.__name__.partition(".")[0]
        text = f"had random bytes of {library}'s own"
        if module.__name__ in _NAMING:
            text = f"sent addresses of objects, by which {library} names them"
        for path in _TOLD[module.__name__]:
            *owners, name = path.split(".")
            owner: Any = module
            for each in owners:
                owner = getattr(owner, each, None)
            drawing = vars(owner).get(name) if owner is not None else None
            if drawing is not None:
                put = set_in_type if isinstance(owner, type) else setattr
                only_with = _SIGN_AT_RANDOM if path.endswith(_SIGN) else frozenset()
                telling: Any = self._telling(getattr(owner, name), text, only_with)
                if isinstance(drawing, staticmethod):
                    telling = staticmethod(telling)
                put(owner, name, telling)
                self._undo.append(functools.partial(put, owner, name, drawing))

    def _telling(
        self, drawing: Callable[..., Any], text: str, only_with: frozenset[str]
    ) -> Callable[..., Any]:
        @functools.wraps(drawing)
        def draw(*args: Any, **kwargs: Any) -> Any:
            given = {type(each).__name__ for each in (*args, *kwargs.values())}
            if not only_with or given & only_with:
                self._on_draw(text)
            return drawing(*args, **kwargs)

        return draw
