"""What Markdown and HTML hold for a reader: words, links, pictures that say nothing."""

from __future__ import annotations

import re

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
INLINE_CODE = re.compile(r"(`+)[^`].*?\1")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
TABLE_ROW = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
HTML_TAG = re.compile(r"</?[A-Za-z][^>]*>")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
WORD = re.compile(r"[^\W_]\S*")


def prose_words(markdown: str) -> list[str]:
    """The words that a reader reads: no code blocks, tables, tags or addresses.

    A formula counts as one word, and so does a number.
    """
    text = TABLE_ROW.sub(" ", COMMENT.sub(" ", FENCE.sub(" ", markdown)))
    text = LINK.sub(lambda link: " " if link[1] else f" {link[2]} ", text)
    text = HTML_TAG.sub(" ", FORMULA.sub(" formula ", text))
    return WORD.findall(re.sub(r"[*`|#>]", " ", text))


def without_code(markdown: str) -> str:
    """A text without what it shows of code."""
    return INLINE_CODE.sub(" ", FENCE.sub(" ", markdown))


def undescribed(html: str) -> list[str]:
    """The ``<img>`` tags without an ``alt``, or with an empty one."""
    tags = re.findall(r"<img\b[^>]*>", html)
    return [t for t in tags if not re.search(r"\balt=([\"'])\s*(?!\1)\S", t)]
