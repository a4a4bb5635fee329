"""Small PDFs, each page of which is drawn by hand."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

from tests.retrieval.sample_files import numbered

WIDTH, HEIGHT = 612, 792
_FONTS = (
    "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> "
    "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
)
_PAGE = (
    f"/Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] "
    f"/Resources << /Font << {_FONTS} >> /XObject << /Im 3 0 R >> >>"
)


def pdf(
    pages: Sequence[str],
    *,
    page: str = "",
    notes: Sequence[str] = (),
    catalog: str = "",
    more: Sequence[str] = (),
) -> bytes:
    """A PDF of pages whose content streams are `pages`, each with the entries `page`.

    `notes` are annotations on the first page, `more` objects that are numbered after all others.
    """
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        _stream(
            "\x40\x80\x40\x80",
            "/Type /XObject /Subtype /Image /Width 2 /Height 2 "
            "/ColorSpace /DeviceGray /BitsPerComponent 8",
        ),
    ]
    for n, content in enumerate(pages):
        annotations = f"/Annots [{' '.join(notes)}]" if notes and n == 0 else ""
        objects += [
            f"<< {_PAGE} /Contents {5 + 2 * n} 0 R {annotations} {page} >>",
            _stream(content),
        ]
    return numbered([*objects, *more])


def at(x: float, y: float, *lines: str, size: float = 11, font: str = "F1", mode: int = 0) -> str:
    """Lines of text below each other; the first begins `x` and `y` points from the lower left."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    return f"BT /{font} {size} Tf {mode} Tr {1.3 * size} TL {x} {y} Td {shown} ET\n"


def cells(
    rows: Sequence[Sequence[str]], *, x: float = 72, y: float = 700, step: float = 100
) -> str:
    """The cells of a table, each in its column; empty ones leave their place free."""
    return "".join(
        at(x + step * column, y - 16 * row, text)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        if text
    )


def lines(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A grid of lines."""
    upright = "".join(f"{x} {ys[0]} m {x} {ys[-1]} l S\n" for x in xs)
    return upright + "".join(f"{xs[0]} {y} m {xs[-1]} {y} l S\n" for y in ys)


def picture(x: float, y: float, width: float, height: float) -> str:
    """A grey picture."""
    return f"q {width} 0 0 {height} {x} {y} cm /Im Do Q\n"


def _stream(content: str, entries: str = "") -> str:
    return f"<< /Length {len(content)} {entries} >>\nstream\n{content}\nendstream"


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


# `Oil is changed after 400 hours.`; everybody may open them, the owner may do more.
OWNED_AES_128 = _unpacked(
    "c-oCqy=xRf6xV>wSZJZ8GKD7=#@+ec9k@ht$(^4eF{f!n!rbmma^bQY_U1xPf*1mVAE1RciJ)MSKR_!L6v09ZMN)"
    "`bC|cz&5G~Z%%_Vnu7Va*?yx+X{d%t~eUT$=#)QgS~ko)@W?HWMPg>hvX<nzEe+niO<8I(rW;z{6)%1Kp+*gA}X{"
    "(hjMFm=RT0hu3gPF2G?JP%3g4=(^`Fm6N!qK;7V&(JhcqO9viCTCcMRauDVEthLwjxh8DP8r8kJ#Hj{6_qlSVjGi"
    "f5Tu(T?Pn85#`4u6`%60Q%Aaxor`)KR%uGQ9oPw;YjNLh|YIDj|1KGjCI#^DtXwpnU!PE1)NtB!cx859n_2~ZU%I"
    "ejn^|_A|>)Q^V99UU+wsiDP<JZKEC(p0%I`;X%^yTl#O|cj5c<}D`zQRlIcJt8wz8^d9U3$O0&`VzTC5tb9?peGx"
    "@##y?-L=O(%L}{v9-e6~n=2olraD@wT8emwqH#!Vq0*(L4PoC_7*Z^#;2sv(7OYw`DuGVf$S9Oa2%Hg^XPj&4dqg"
    "Qh0#A5BNGigmI+UUI5tUjJ8fqbluek~-stBJd9Pm(LDY<60@aJG&dy-&5{6KI&2#99V*S;r|%Up!HWZ180s+gk6W"
    "4@$_Q`faN*IG*#xqjNdQr6Y730u2?hM6kPr8mSGii43^6{SwY&>1L}$8q~d`Q`;Eo0$^aAV`g5%V;-oK2aLD&;#z"
    ")136=aK@GPsWLuq`L~V@IE(~GPg<*!eFoL@=%Dpyb5?QUOB<o|jdQn+<&R87VA=;RX6GL_;^2if{FdVqN!YK7s7`"
    "nn^5__65ff4Wj9~V1K#VAOcvj+0bDXANon5;0KM?o%E94Uc6_4_QR"
)
OWNED_AES_256 = _unpacked(
    "c-oCrO^6&t6!xNrK6vvYf(2ngSd*^bS5<KsOtLc=HSDmX0TB=N^J;g(?)1{ryX>wYBIG9M%^ZV-TvU+c5)dz*MGq"
    "cCqX!kmgI<Do@MLxG-;nWOcOPDT_1^csdiDA(jaG(d**Q@x{rt<<-xQ2cQu%8|uUC|>>~A9}FS*8TR_jGMa_cxFJ"
    "Ugrv{eFSd*gEosfX=TdUz)@jd7X&XpS)3&m#Up<L)cuX_|MQbQH|O4FjIL2<HTL8_A(dEFECED<t^hH&Z?a{WKk`"
    "{u*xx=!H7H-nZKNP+GM^NQ4dL%3;A1)q8#t|rdzfkE6R&*h8=tP0&ebNGYM{vMa{9ijMMdIgIH+yXHAW6tN8BvPv"
    "ZS2{@MHf?FVNze*N;3&%S!>^X0#m-#yrcy{DgjkDMRvZ-4RN-kC?wK6CA<(ZT%}KluHR<(rS2+n@e@|HmJ$-?@4I"
    "*6nxtH|{*y|M<ou-(LRH-g;~6&DZYTeg5vbkJN9^ec0+aN_C_N<`i8eDi?~ti8ijXJtC4@X+d+#bHOH?4c4R_H*O"
    "kT9gA|6^r&Wx*<_Ot6wvA<g16{Y0vV(L<&?211u%$AQ0k>jETu#_#)MWe?T`iQXhLBW)!;#K01959b`C|pm{&=UQ"
    "xG(2p(1x$27utA3Yme$V611xIP^Kj7$wjm*9-v-1*>F~1_MKCm0&1ADu|L(X#xdFP2|P|VcY8;c3m-U;*oV>r`Z_"
    "nwjEZkRAF@+r>)Z!QeGI0uZojG34Yu_<7R6}4hh;teY#j3<Rc^|O;lMwDA2}u!MTVQjIt>Slr(Ug6!pM7D$^atnu"
    "JCK8?3OYEkveaQVGf!aPC;L&=xKxh(>$roj249Wv$X&IInFKEEui5Va7@7I7pdkMp$p<f5B4aUCa!Wf!8Kq7gFPu"
    "V^Y`<J@n_Acdy1&P@)TZ@(@r;D3Ztt#&U~yJJVAP<O0UHSirbq3z*=Gm;`-_HMN^;V%_!ccyfSQUb$9Pd3YR7gv%"
    ">=7W9xap(OXg8=1K9Dq`-y;3M<k61x8XamiC;Fb(zoc0=HJI?NhZH(g;E<-Ay08mtbBe*x*Zaq<"
)
