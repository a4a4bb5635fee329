from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import UnreadableError


def read(html: str) -> Loaded:
    (loaded,) = load(Path("a.html"), html.encode())
    return loaded


def words(html: str) -> str:
    return "\n".join(section.text.strip() for section in read(f"<p>start</p>{html}").sections)


@pytest.mark.parametrize(
    "html",
    [
        '<div style="background:#123;color:#fff"><p>SEEN</p></div>',
        '<table><tr bgcolor="#003366"><td><font color="white">SEEN</font><td>x</table>',
        "<style>.dark{background:#222}.dark p{color:#fff}</style><div class=dark><p>SEEN</p></div>",
        "<style>:root{--b:navy;--w:#fff}p{background:var(--b);color:var(--w)}</style><p>SEEN</p>",
        '<p style="background:linear-gradient(#036,#048);color:white">SEEN</p>',
        '<p style="background:url(sea.png);color:#fff">SEEN</p>',
        '<p style="color:yellow">SEEN</p>',
        '<div style="font-size:0"><span style="font-size:13px">SEEN</span></div>',
        '<p style="opacity:0;animation:fade 1s forwards">SEEN</p>',
        '<p style="opacity:0" data-aos="fade-up">SEEN</p>',
        '<p style="opacity:0.6">SEEN</p>',
        "<style>p{display:none}p.on{display:block}</style><p class=on>SEEN</p>",
        "<style>p{display:none!important}</style><p style='display:block!important'>SEEN</p>",
        "<style>@media print{p{display:none}} @media (max-width:9em){p{opacity:0}}</style>SEEN",
        '<div style="visibility:hidden"><p style="visibility:visible">SEEN</p></div>',
        '<p style="background-clip:text;color:transparent;background:#036">SEEN</p>',
        '<div style="transform:translateX(-100%)">SEEN</div>',
        "<style>body{color:#eee}</style><p>SEEN</p>",
        "<style>body{visibility:hidden;opacity:0}</style><p>SEEN</p>",
        '<p style="background:oklch(0.2 0 0);color:oklch(1 0 0)">SEEN</p>',
        '<p style="color:lab(54 80 70)">SEEN</p>',
        '<p style="color:hwb(0 0% 0%)">SEEN</p>',
        '<p style="background:linear-gradient(navy,white);color:white">SEEN</p>',
        '<p style="mask-image:linear-gradient(black,transparent)">SEEN</p>',
        '<p style="mask:url(wave.svg)">SEEN</p>',
        '<p style="letter-spacing:-0.05em">SEEN</p>',
        '<div style="letter-spacing:-99px"><p style="letter-spacing:normal">SEEN</p></div>',
        '<p style="zoom:150%">SEEN</p>',
        '<p style="transform:matrix(1,0,0,1,20,0)">SEEN</p>',
        "<form id=page><h2>Rooms</h2><p>SEEN</p><input><button>Send</button></form>",
    ],
)
def test_what_a_reader_sees_is_read(html: str) -> None:
    assert "SEEN" in words(html)


@pytest.mark.parametrize(
    "html",
    [
        '<p style="color:#fefefe">UNSEEN</p>',
        '<p style="COLOR: White !important">UNSEEN</p>',
        '<p style="color:rgb(255 255 255)">UNSEEN</p>',
        '<p style="color:hsl(0,0%,99%)">UNSEEN</p>',
        '<p style="color:rgba(0,0,0,.01)">UNSEEN</p>',
        '<p style="background:#000;color:#010101">UNSEEN</p>',
        '<p style="background:linear-gradient(#fff,snow);color:white">UNSEEN</p>',
        '<p style="color:oklch(100% 0 0)">UNSEEN</p>',
        '<p style="color:oklab(1 0 0)">UNSEEN</p>',
        '<p style="color:lab(100 0 0)">UNSEEN</p>',
        '<p style="color:lch(99% 0 0)">UNSEEN</p>',
        '<p style="color:hwb(0 100% 0%)">UNSEEN</p>',
        '<p style="color:color(display-p3 1 1 1)">UNSEEN</p>',
        '<p style="background:#000;color:lab(0 0 0)">UNSEEN</p>',
        '<p style="mask:linear-gradient(transparent,#0000)">UNSEEN</p>',
        '<p style="-webkit-mask-image:linear-gradient(transparent 0 0)">UNSEEN</p>',
        '<p style="mask-image:url(x.svg);mask-size:0 0">UNSEEN</p>',
        '<p style="letter-spacing:-1em">UNSEEN</p>',
        '<div style="letter-spacing:-99px"><b style="visibility:visible">UNSEEN</b></div>',
        '<p style="zoom:0">UNSEEN</p>',
        '<div style="zoom:1%"><b style="font-size:16px">UNSEEN</b></div>',
        '<p style="translate:-9999px 0">UNSEEN</p>',
        '<p style="transform:matrix(1,0,0,1,-9999,0)">UNSEEN</p>',
        '<p style="transform:rotateY(90deg)">UNSEEN</p>',
        '<font color="white">UNSEEN</font>',
        "<style>:root{--w:#fff}p.x{color:var(--w)}</style><p class=x>UNSEEN</p>",
        "<style>p.x{color:var(--none,#fff)}</style><p class=x>UNSEEN</p>",
        '<p style="font-size:1px">UNSEEN</p>',
        '<p style="font-size:1pt">UNSEEN</p>',
        '<p style="font-size:.01em">UNSEEN</p>',
        '<p style="font-size:calc(0px + 1px)">UNSEEN</p>',
        '<p style="font:0/0 a">UNSEEN</p>',
        '<div style="font-size:0"><b style="font-size:2em">UNSEEN</b></div>',
        '<p style="opacity:0">UNSEEN</p>',
        '<p style="opacity:1%">UNSEEN</p>',
        '<p style="filter:opacity(0)">UNSEEN</p>',
        '<p style="position:absolute;left:-9999px">UNSEEN</p>',
        '<p style="position:fixed;top:-100em">UNSEEN</p>',
        '<p style="text-indent:-9999px">UNSEEN</p>',
        '<p style="margin-left:-999px">UNSEEN</p>',
        '<p style="transform:translate(-5000px, 0)">UNSEEN</p>',
        '<p style="transform:scale(0)">UNSEEN</p>',
        '<p style="position:absolute;clip:rect(0 0 0 0)">UNSEEN</p>',
        '<p style="clip-path:inset(50%)">UNSEEN</p>',
        '<p style="width:1px;height:1px;overflow:hidden">UNSEEN</p>',
        '<p style="max-height:0;overflow:hidden">UNSEEN</p>',
        '<p style="visibility:collapse">UNSEEN</p>',
        '<p style="content-visibility:hidden">UNSEEN</p>',
        '<div role="tabpanel" hidden>UNSEEN</div>',
        '<button>Copy</button><div style="display:none">UNSEEN</div>',
        "<button hidden id=t>Tab</button><div role=tabpanel aria-labelledby=t hidden>UNSEEN</div>",
        "<button aria-haspopup=true aria-controls=m>Go</button><ul id=m hidden><li>UNSEEN",
        '<div aria-hidden="true">UNSEEN</div>',
        '<p class="sr-only">UNSEEN</p>',
        '<p class="visually-hidden">UNSEEN</p>',
        "<dialog>UNSEEN</dialog>",
        "<noscript>UNSEEN</noscript>",
        "<style>.x{.y{display:none}}</style><div class=x><p class=y>UNSEEN</p></div>",
        "<style>@media screen{.x{display:none}}</style><p class=x>UNSEEN</p>",
        "<style>@supports (top:0){.x{display:none}}</style><p class=x>UNSEEN</p>",
        "<style>p:not(.shown){display:none}p.start{}</style><p class=x>UNSEEN</p>",
        '<style>a::after{content:"}"}.x{display:none}</style><p class=x>UNSEEN</p>',
        "<style>/* } */ .x /* { */ {display:none}</style><p class=x>UNSEEN</p>",
    ],
)
def test_what_is_hidden_is_not_read(html: str) -> None:
    assert "UNSEEN" not in words(f"{html}<div>end</div>")


def test_words_in_the_colour_of_their_background_are_counted() -> None:
    loaded = read('<p>seen</p><p style="color:white">four</p>')
    assert loaded.gaps == ("4 characters in the colour of their background are not read",)


@pytest.mark.slow
def test_more_style_rules_than_can_be_followed_refuse_a_page() -> None:
    html = f"<style>{'p{color:red}' * 1100}</style>{'<p>x</p>' * 1000}"
    with pytest.raises(UnreadableError, match="more style rules"):
        read(html)
