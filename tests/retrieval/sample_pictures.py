"""Pictures of text, drawn as they are needed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont


def drawn(lines: Sequence[str], *, degrees: int = 0) -> Image.Image:
    """A page of lines in black on white, turned against the clock."""
    page = Image.new("L", (900, 60 + 40 * len(lines)), 255)
    for n, line in enumerate(lines):
        ImageDraw.Draw(page).text((30, 30 + 40 * n), line, font=ImageFont.load_default(30), fill=0)
    return page.rotate(degrees, expand=True)


def encoded(*pages: Image.Image, form: str = "PNG") -> bytes:
    """The pages as a file; PNG holds one, PDF and TIFF hold all."""
    file = io.BytesIO()
    more = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    pages[0].save(file, form, **more)
    return file.getvalue()


# 员工每年有二十五天年假
CHINESE = base64.b85decode(
    "iBL{Q4GJ0x0000DNk~Le0003>0000i0RR9104s>hTL1t7;7LS5RCwC$l%bCkK^Vn<-*#d51nG(<<W&17^wgc}CI~"
    "D7gS#g82XGeCIaiM%gwPWREEcs@2t@f4dI`zZkX%bcW<$FlVyD}k_Czg#&rD|K&71k&dl^v<tZ~4>^&k3ILRW`Fe"
    "}NiUma}i0<r&N>s7m0@6!%a~Vf`TVS${~#mKAO!$VE)-Jz!u}qywx(=EstHte+&A{k-#8Z*|j{ND8#S6wyk}Zd;<"
    "gX$*O;&533n>u7XWgI>k1=LL{~mgpEjJCN;)bty>*Bs&VEz@x-LMT_!yG6VX)eT4zD!z!mElSlhDU-diuUODJm1i"
    ";+U1#MeE<s`^Yl6fdkK=<SF9P(mom@S9qXqv7ox169YfR!o5n-tAa*0h5RD#t=+y&fYkAis(4NkZjT{VQ5{5L-%W"
    "m%akGz4t(?ZEMhm>&N(QO`kE0WawW!%`f}$o&xb%nZ0Vq!1tE`9DUqC*X351L0(T%CnHWH9odcB0oW8^eslp)duu"
    "}4s!JTuSbWW8yiI#9;wGAu!f7SehtB{#edn7$?!P*JYygTg2hHD{K2^1F4Ztu`bvMpTcnz?8>!9}hApmpVp@Hga8"
    "XbU!3$bp>YON-^SJ^gMQJu5<@BFWS0H~YH@K%kk`2YX_07*qoM6N<$f&"
)
