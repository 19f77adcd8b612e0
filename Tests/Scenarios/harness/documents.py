"""PDF documents small enough to be written by hand."""

from __future__ import annotations

import base64


def pdf(words: str) -> str:
    """A page that says `words`; without a cross-reference table, which readers make up themselves."""
    content = f"BT /F1 24 Tf 72 700 Td ({words}) Tj ET"
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = "".join(f"{number} 0 obj{part}endobj\n" for number, part in enumerate(parts, 1))
    return base64.b64encode(f"%PDF-1.4\n{body}trailer<</Root 1 0 R>>\n%%EOF\n".encode()).decode()


def document(data: str) -> dict[str, object]:
    """The block of a message that carries one."""
    return {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
