"""Plain HTML: one layout, server-rendered, that works without any script."""

from __future__ import annotations

import html

from starlette.responses import Response

NEVER_CACHED = "private, no-cache, no-store, max-age=0, must-revalidate"

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#16181d}
main{max-width:44rem;margin:3rem auto;padding:2rem;background:#fff;
border:1px solid #dfe2e8;border-radius:.75rem}
h1{margin:0 0 .5rem;font-size:1.5rem}a{color:#16181d}
label{display:block;margin:.75rem 0}
input,textarea{display:block;width:100%;box-sizing:border-box;padding:.5rem;
border:1px solid #b9bfca;border-radius:.4rem;font:inherit}
button,.button{display:inline-block;padding:.5rem 1rem;border:1px solid #16181d;border-radius:.4rem;
background:#16181d;color:#fff;font:inherit;text-decoration:none;cursor:pointer}
.days{display:grid;grid-template-columns:repeat(7,1fr);gap:.25rem;margin:1rem 0}
.days>*{padding:.5rem 0;text-align:center;border-radius:.4rem;text-decoration:none}
.days a{background:#e8eaef;font-weight:600}.days span{color:#9aa1ad}
.times{display:flex;flex-wrap:wrap;gap:.5rem}
.times a{padding:.4rem .8rem;border:1px solid #b9bfca;border-radius:.4rem}
.note{color:#5b6372}.wrong{color:#b42318}
"""


def escaped(text: object) -> str:
    """A text that is safe between tags and in attributes."""
    return html.escape(str(text), quote=True)


def page(
    title: str | None, body: str, status: int = 200, headers: dict[str, str] | None = None, script: str = ""
) -> Response:
    """A whole page. Titles carry no markup; `body` is HTML already."""
    head = f"<title>{html.escape(title, quote=False)}</title>" if title is not None else ""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}'
        '<link rel="icon" href="/avatar.svg">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}</main>"
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>"
    )
    return Response(
        text,
        status,
        {
            "content-type": "text/html; charset=utf-8",
            "cache-control": NEVER_CACHED,
            "x-content-type-options": "nosniff",
            "referrer-policy": "origin-when-cross-origin",
            **(headers or {}),
        },
    )


def redirect(location: str, title: str | None, headers: dict[str, str] | None = None) -> Response:
    """A temporary redirect that carries a page, as Next.js sends it."""
    link = f'<p><a href="{escaped(location)}">Continue</a></p>'
    return page(title, link, 307, {"location": location, **(headers or {})})


def not_found(app_name: str) -> Response:
    """The page for everything that is not there."""
    body = "<h1>404</h1><p>This page could not be found.</p>"
    return page(f"404: This page could not be found. | {app_name}", body, 404)
