"""The two codes that ISO 639-2 has for some languages: MP4 uses the one (ISO/IEC 14496-12, 8.4.2), Matroska the other
(RFC 9559, 12.1).
"""

from __future__ import annotations

_BIBLIOGRAPHIC = {
    **{"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut", "fra": "fre"},
    **{"kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "mri": "mao", "msa": "may", "fas": "per"},
    **{"ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel"},
}

_TERMINOLOGICAL = {second: first for first, second in _BIBLIOGRAPHIC.items()}


def bibliographic(code: str) -> str:
    """Return a language as Matroska has it (ISO 639-2/B)."""
    return _BIBLIOGRAPHIC.get(code, code)


def terminological(code: str) -> str:
    """Return a language as MP4 has it (ISO 639-2/T)."""
    return _TERMINOLOGICAL.get(code, code)
