"""Which of the two languages an answer is in: `?lang=`, else for pages the cookie, else for JSON Accept-Language.

Vietnamese is the default everywhere; a language that is neither is never an error.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query, Request

Language = Literal["vi", "en"]
COOKIE = "phongmay_lang"


def _known(tag: str | None) -> Language | None:
    match (tag or "").strip().lower()[:2]:
        case "vi":
            return "vi"
        case "en":
            return "en"
    return None


def accepted(header: str | None) -> Language:
    """Choose by an Accept-Language header: the known language of greatest weight, else Vietnamese."""
    best: tuple[float, Language] = (0.0, "vi")
    for piece in (header or "").split(","):
        tag, _, weight = piece.partition(";q=")
        language = _known(tag)
        try:
            value = float(weight) if weight else 1.0
        except ValueError:
            continue
        if language is not None and value > best[0]:
            best = (value, language)
    return best[1]


def api_language(
    request: Request,
    lang: Annotated[str | None, Query(description="vi or en; default: Accept-Language.", max_length=10)] = None,
) -> Language:
    """Choose the language of sentences in JSON."""
    return _known(lang) or accepted(request.headers.get("accept-language"))


def page_language(request: Request) -> Language:
    """Choose the language of a page: `?lang=`, else the cookie that it leaves, else Vietnamese."""
    return _known(request.query_params.get("lang")) or _known(request.cookies.get(COOKIE)) or "vi"


ApiLanguage = Annotated[Language, Depends(api_language)]
PageLanguage = Annotated[Language, Depends(page_language)]
