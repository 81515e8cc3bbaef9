# SPDX-License-Identifier: MIT
"""Whether the evidence of an SEV-SNP guest and of its vTPM is to be trusted: libsocle-verify for Python.

    policy = Policy({"format": 1, "look_at": "report"})
    evidence = Evidence()
    evidence.add(Part.REPORT, report)
    evidence.add(Part.CERT_SIGNER, vcek)
    verdict = verify(evidence, policy)
    if verdict.trusted: ...

socle-verify.h is the manual: parts, statuses, what may be shared by threads. What fails raises Error; a
refusal is no failure. The library is looked for by its name, libsocle-verify.so.1.
"""

import ctypes
import enum
import json
from typing import Any, NamedTuple, Optional, Union

__all__ = ["BootEvent", "Chain", "Challenge", "Check", "Error", "Evidence", "Part", "Policy", "Standing", "Status",
           "Verdict", "answers", "library_version", "verify"]

_ERROR_SIZE = 512


class Part(enum.IntEnum):
    """What a piece of evidence is; those from OWN_NONCE on are the relying party's own."""

    REPORT = 1
    CERT_TABLE = 2
    CERT_ARK = 3
    CERT_ISSUER = 4
    CERT_SIGNER = 5
    MANIFEST = 6
    SELECTOR = 7
    CONTEXT = 8
    EK = 9
    AK = 10
    ANSWER = 11
    QUOTE = 12
    QUOTE_SIGNATURE = 13
    QUOTE_PCRS = 14
    EK_CERTIFICATE = 15
    EVENT_LOG = 16
    OWN_NONCE = 64
    OWN_CHALLENGE = 65
    OWN_ROOT = 66
    OWN_CA = 67


class Status(enum.IntEnum):
    """The class of the first check that failed."""

    TRUSTED = 0
    REFUSED_CHAIN = 2
    REFUSED_REPORT = 3
    REFUSED_MEASUREMENT = 4
    REFUSED_BINDING = 5
    REFUSED_QUOTE = 6
    REFUSED_BOOT = 7


class Standing(enum.IntEnum):
    """How far the words of a measured event are to be believed."""

    PROVED = 1
    NAMED = 2
    CLAIMED = 3


class Check(NamedTuple):
    """One that ran: error is None if it passed, found what the evidence has there."""

    name: str
    status: Status
    error: Optional[str]
    found: Optional[str]


class BootEvent(NamedTuple):
    """What an event of the boot says; what is CLAIMED is for no decision."""

    pcr: int
    standing: Standing
    words: str


class Error(ValueError):
    """What was given cannot be used; the text says why."""


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL("libsocle-verify.so.1")
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    for name, result, *arguments in (
            ("socle_verify_version", text),
            ("socle_policy_read", pointer, text, size, text),
            ("socle_policy_add_crls", ctypes.c_bool, pointer, text, size, text),
            ("socle_policy_free", None, pointer),
            ("socle_evidence_new", pointer),
            ("socle_evidence_add", ctypes.c_bool, pointer, ctypes.c_int, text, size, text),
            ("socle_evidence_has", ctypes.c_bool, pointer, ctypes.c_int),
            ("socle_evidence_key", text, pointer),
            ("socle_evidence_free", None, pointer),
            ("socle_evidence_add_chain", ctypes.c_bool, pointer, pointer, text),
            ("socle_chain_of", pointer, pointer, text),
            ("socle_chain_free", None, pointer),
            ("socle_policy_make", pointer, pointer, text, text),
            ("socle_challenge_make", pointer, pointer, pointer, text),
            ("socle_challenge_credential", pointer, pointer, ctypes.POINTER(size)),
            ("socle_challenge_record", text, pointer),
            ("socle_challenge_free", None, pointer),
            ("socle_challenge_open", ctypes.c_bool, text, size, text, size,
             ctypes.POINTER(ctypes.c_bool), text),
            ("socle_verify", pointer, pointer, pointer, text),
            ("socle_verdict_status", ctypes.c_int, pointer),
            ("socle_verdict_emulated", ctypes.c_bool, pointer),
            ("socle_verdict_check", text, pointer, size, ctypes.POINTER(ctypes.c_int),
             ctypes.POINTER(text), ctypes.POINTER(text)),
            ("socle_verdict_binding", text, pointer, size),
            ("socle_verdict_boot", text, pointer, size, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_int)),
            ("socle_verdict_json", pointer, pointer, ctypes.c_bool),
            ("socle_verdict_free", None, pointer),
            ("socle_text_free", None, pointer)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def library_version() -> str:
    """Of the library that was found."""
    return str(_library.socle_verify_version().decode())


def _fail(error: Any) -> Error:
    return Error(error.value.decode())


def _take_text(pointer: Optional[int]) -> str:
    if not pointer:
        raise MemoryError
    text = ctypes.string_at(pointer).decode()
    _library.socle_text_free(pointer)
    return text


class Policy:
    """What is demanded: the JSON of docs/policy.md, as text or as an object."""

    def __init__(self, rules: Union[str, bytes, dict[str, Any]]) -> None:
        self._handle = None
        if isinstance(rules, dict):
            rules = json.dumps(rules)
        data = rules.encode() if isinstance(rules, str) else rules
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        self._handle = _library.socle_policy_read(data, len(data), error)
        if not self._handle:
            raise _fail(error)

    def add_crls(self, data: bytes) -> None:
        """Revocation lists, PEM or DER."""
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        if not _library.socle_policy_add_crls(self._handle, data, len(data), error):
            raise _fail(error)

    def __del__(self) -> None:
        _library.socle_policy_free(self._handle)


class Evidence:
    """The parts of what is to be judged, the report first."""

    def __init__(self) -> None:
        self._handle = _library.socle_evidence_new()
        if not self._handle:
            raise MemoryError

    def add(self, part: Part, data: bytes) -> None:
        """Adds a part, each once."""
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        if not _library.socle_evidence_add(self._handle, int(part), data, len(data), error):
            raise _fail(error)

    def add_chain(self, chain: "Chain") -> None:
        """Certificates that were checked before; the report has to be there."""
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        # pylint: disable-next=protected-access
        if not _library.socle_evidence_add_chain(self._handle, chain._handle, error):
            raise _fail(error)

    def has(self, part: Part) -> bool:
        """Whether it is there, or, of a certificate, known."""
        return bool(_library.socle_evidence_has(self._handle, int(part)))

    @property
    def key(self) -> Optional[str]:
        """Which key signed the report, as it says: "vcek", "vlek" or None."""
        key = _library.socle_evidence_key(self._handle)
        return key.decode() if key else None

    def make_policy(self, look_at: str) -> dict[str, Any]:
        """A policy that this evidence meets: trust on first use."""
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        text = _library.socle_policy_make(self._handle, look_at.encode(), error)
        if not text:
            raise _fail(error)
        made: dict[str, Any] = json.loads(_take_text(text))
        return made

    def __del__(self) -> None:
        _library.socle_evidence_free(self._handle)


class Chain:
    """The certificates of evidence, checked once for many reports of one chip; Error if they do not hold."""

    def __init__(self, evidence: Evidence) -> None:
        self._handle = None
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        # pylint: disable-next=protected-access
        self._handle = _library.socle_chain_of(evidence._handle, error)
        if not self._handle:
            raise _fail(error)

    def __del__(self) -> None:
        _library.socle_chain_free(self._handle)


class Challenge:
    """A secret for the AK and the EK of evidence, which has to be trusted as far as it goes without a quote."""

    def __init__(self, evidence: Evidence, policy: Policy) -> None:
        self._handle = None
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        # pylint: disable-next=protected-access
        self._handle = _library.socle_challenge_make(evidence._handle, policy._handle, error)
        if not self._handle:
            raise _fail(error)

    @property
    def credential(self) -> bytes:
        """What the guest is sent, for tpm2_activatecredential."""
        size = ctypes.c_size_t()
        data = _library.socle_challenge_credential(self._handle, ctypes.byref(size))
        return ctypes.string_at(data, size.value)

    @property
    def record(self) -> bytes:
        """What is kept and shown to nobody: Part.OWN_CHALLENGE."""
        return bytes(_library.socle_challenge_record(self._handle))

    def __del__(self) -> None:
        _library.socle_challenge_free(self._handle)


def answers(record: bytes, answer: bytes) -> bool:
    """Whether this is the answer to the challenge with that record; Error where the record is none."""
    error, right = ctypes.create_string_buffer(_ERROR_SIZE), ctypes.c_bool()
    if not _library.socle_challenge_open(record, len(record), answer, len(answer), ctypes.byref(right), error):
        raise _fail(error)
    return right.value


class Verdict:
    """What came of it; verify() makes it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @property
    def status(self) -> Status:
        """TRUSTED, or the class of the first check that failed."""
        return Status(_library.socle_verdict_status(self._handle))

    @property
    def trusted(self) -> bool:
        """Whether every check passed."""
        return self.status is Status.TRUSTED

    @property
    def emulated(self) -> bool:
        """An emulated machine's: it proves nothing about any hardware."""
        return bool(_library.socle_verdict_emulated(self._handle))

    @property
    def checks(self) -> list[Check]:
        """Those that ran, in the order of docs/evidence.md."""
        found: list[Check] = []
        status, error, what = ctypes.c_int(), ctypes.c_char_p(), ctypes.c_char_p()
        while True:
            name = _library.socle_verdict_check(self._handle, len(found), ctypes.byref(status),
                                                ctypes.byref(error), ctypes.byref(what))
            if not name:
                return found
            found.append(Check(name.decode(), Status(status.value),
                               error.value.decode() if error.value else None,
                               what.value.decode() if what.value else None))

    @property
    def bindings(self) -> list[str]:
        """What a trusted one rests on."""
        found: list[str] = []
        while name := _library.socle_verdict_binding(self._handle, len(found)):
            found.append(name.decode())
        return found

    @property
    def boot(self) -> list[BootEvent]:
        """What was booted, by an event log that holds."""
        found: list[BootEvent] = []
        pcr, standing = ctypes.c_uint(), ctypes.c_int()
        while words := _library.socle_verdict_boot(self._handle, len(found), ctypes.byref(pcr),
                                                   ctypes.byref(standing)):
            found.append(BootEvent(pcr.value, Standing(standing.value), words.decode()))
        return found

    def json(self, explain: bool = False) -> dict[str, Any]:
        """All of it, as docs/verdict.schema.json has it."""
        whole: dict[str, Any] = json.loads(_take_text(_library.socle_verdict_json(self._handle, explain)))
        return whole

    def __del__(self) -> None:
        _library.socle_verdict_free(self._handle)


def verify(evidence: Evidence, policy: Policy) -> Verdict:
    """Runs all checks that policy asks for; Error when a part that they need is missing."""
    error = ctypes.create_string_buffer(_ERROR_SIZE)
    # pylint: disable-next=protected-access
    handle = _library.socle_verify(evidence._handle, policy._handle, error)
    if not handle:
        raise _fail(error)
    return Verdict(handle)
