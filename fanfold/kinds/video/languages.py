"""What a language is called. ISO 639-2 has two codes for some: MP4 uses the one (ISO/IEC 14496-12, 8.4.2), Matroska the
other (RFC 9559, 12.1). The short ones of ISO 639-1 are those of recipes, of lists of stop words and of HLS.
"""

from __future__ import annotations

_BIBLIOGRAPHIC = {
    **{"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut", "fra": "fre"},
    **{"kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "mri": "mao", "msa": "may", "fas": "per"},
    **{"ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel"},
}

_TERMINOLOGICAL = {second: first for first, second in _BIBLIOGRAPHIC.items()}

_CODES = """
ara ar, bul bg, cat ca, ces cs, cze cs, dan da, deu de, dut nl, ell el, eng en, fas fa, fin fi, fra fr, fre fr, ger de,
gre el, guj gu, heb he, hin hi, hun hu, ind id, ita it, may ms, msa ms, nld nl, nob nb, nor nb, per fa, pol pl, por pt,
ron ro, rum ro, rus ru, slk sk, slo sk, spa es, swe sv, tur tr, ukr uk, vie vi, chi zh, jpn ja, kor ko, tha th, zho zh
"""
_SHORT: dict[str, str] = dict(pair.split() for pair in _CODES.split(","))


def bibliographic(code: str) -> str:
    """Return a language as Matroska has it (ISO 639-2/B)."""
    return _BIBLIOGRAPHIC.get(code, code)


def terminological(code: str) -> str:
    """Return a language as MP4 has it (ISO 639-2/T)."""
    return _TERMINOLOGICAL.get(code, code)


def short(code: str) -> str:
    """Return a language of ISO 639-2 as ISO 639-1 has it, where it is one of the more frequent ones."""
    return _SHORT.get(code, code)
