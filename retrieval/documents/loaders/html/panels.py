"""Finds what a reader of a page can unfold: tab panels and accordions, each with its label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_GROUPS = 500
"""Most groups of tabs on a page that are paired with their panels by their order."""
MAX_LABEL_CHARS = 300

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_NO_PANELS = frozenset(("menu", "menubar", "listbox", "dialog", "navigation", "search", "tooltip"))
_CONTROL = re.compile(
    r"(?:accordion|collaps|toggle|expand|faq|disclosure|spoiler|question|read-?more|show-?more)",
    re.IGNORECASE,
)
_PANEL = re.compile(
    r"(?:panel|accordion|collaps|expand|answer|tab-?pane|tab-?content|toggle|spoiler|more\b)",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"head|title|trigger|button|btn|question|label|control|toggle|link|summary|more",
    re.IGNORECASE,
)
_BLOCKS = "p, ul, ol, table, pre, section, article, dl, form"
_BUTTONS = (
    "button, [role=button], [aria-expanded], [class*=accordion], [class*=collaps], "
    "[class*=toggle], [class*=expand], [class*=faq], [class*=question], [class*=more]"
)
_TARGETS = ("aria-controls", "data-bs-target", "data-target", "data-mdb-target", "href")


@dataclass(slots=True)
class Panels:
    """The panels of a page, by `mem_id`, each with what unfolds it."""

    controls: dict[int, LexborNode] = field(default_factory=dict)
    nodes: dict[int, LexborNode] = field(default_factory=dict)

    def add(self, panel: LexborNode | None, control: LexborNode | None) -> None:
        """Pair a panel with its control, if both are there and it has none yet."""
        if panel is None or control is None or panel.mem_id in self.controls:
            return
        if panel.attributes.get("role") in _NO_PANELS or panel.tag in ("nav", "form", "body"):
            return
        if control.attributes.get("aria-haspopup") not in (None, "false"):
            return
        if not _is_label(control):
            return
        self.controls[panel.mem_id] = control
        self.nodes[panel.mem_id] = panel


def find_panels(tree: LexborHTMLParser) -> Panels:
    """What can be unfolded on a page, by what its controls name or stand before."""
    panels = Panels()
    ids = {node.attributes.get("id") or "": node for node in tree.css("[id]")}
    for control in tree.css(
        "[aria-controls], [data-bs-target], [data-target], [role=tab], [data-toggle]"
    ):
        panels.add(ids.get(_target(control)), control)
    for panel in tree.css("[role=tabpanel][aria-labelledby], [class*=collapse][aria-labelledby]"):
        panels.add(panel, ids.get(panel.attributes.get("aria-labelledby") or ""))
    paired = {control.mem_id for control in panels.controls.values()}
    for tabs in tree.css("[role=tablist]")[:MAX_GROUPS]:
        for panel, tab in _in_order(tabs):
            if tab.mem_id not in paired:
                panels.add(panel, tab)
    _add_labelled(tree, panels)
    for control in tree.css(_BUTTONS):
        panels.add(_following_panel(control), control)
    return panels


def heading_of(control: LexborNode) -> LexborNode | None:
    """The heading that a control is, or stands in."""
    node: LexborNode | None = control
    for _ in range(4):
        if node is None or node.tag in _HEADINGS:
            return node
        node = node.parent
    return None


def _target(control: LexborNode) -> str:
    attributes = control.attributes
    is_tab = attributes.get("role") == "tab"
    toggles = attributes.get("data-toggle") or attributes.get("data-bs-toggle") or ""
    for name in _TARGETS:
        value = attributes.get(name) or ""
        if name == "aria-controls":
            if value:
                return value
        elif value.startswith("#") and (is_tab or toggles in ("tab", "pill", "collapse")):
            return value[1:]
    return ""


def _in_order(tabs: LexborNode) -> Iterator[tuple[LexborNode, LexborNode]]:
    """Panels and tabs where the page has as many of one as of the other nearby."""
    controls = tabs.css("[role=tab]")
    around = tabs.parent
    for _ in range(4):
        if around is None or not controls:
            return
        panels = around.css("[role=tabpanel]")
        if len(panels) == len(controls):
            yield from zip(panels, controls, strict=True)
        if panels:
            return
        around = around.parent


def _add_labelled(tree: LexborHTMLParser, panels: Panels) -> None:
    """Tabs and accordions of plain CSS: a button of a form, its label, and what that shows."""
    buttons = {
        node.attributes.get("id") or "": node
        for node in tree.css("input[type=radio], input[type=checkbox]")
    }
    groups: dict[int, tuple[LexborNode, list[LexborNode]]] = {}
    for label in tree.css("label[for]") if buttons else ():
        parent = label.parent
        if label.attributes.get("for") not in buttons or parent is None:
            continue
        following = _next(label)
        if following is not None and following.tag in ("div", "section", "article"):
            if _classed(following, _PANEL):
                panels.add(following, label)
        else:
            groups.setdefault(parent.mem_id, (parent, []))[1].append(label)
    for parent, labels in groups.values():
        following = _next(parent)
        shown = list(following.iter()) if following is not None else []
        if len(shown) == len(labels):
            for panel, label in zip(shown, labels, strict=True):
                panels.add(panel, label)


def _following_panel(control: LexborNode) -> LexborNode | None:
    """What stands behind a control and is what the control shows, by their classes."""
    unfolds = "aria-expanded" in control.attributes or _classed(control, _CONTROL)
    if control.tag in ("summary", "details", "body", "html"):
        return None
    node: LexborNode | None = control
    for _ in range(3):
        if node is None or node.tag == "body":
            return None
        following = _next(node)
        if following is not None:
            if following.tag in ("button", "a", "summary", "script", "input"):
                return None
            return following if unfolds and _is_like_panel(following) else None
        node = node.parent
    return None


def _is_label(control: LexborNode) -> bool:
    """Whether an element holds a few words, and nothing that could be unfolded."""
    attributes = control.attributes
    is_button = (
        control.tag in ("button", "a", "label")
        or attributes.get("role") in ("tab", "button")
        or "aria-expanded" in attributes
    )
    if not is_button and not _classed(control, _HEAD):
        return False
    return control.css_first(_BLOCKS) is None and 0 < len(control.text().strip()) <= MAX_LABEL_CHARS


def _is_like_panel(node: LexborNode) -> bool:
    attributes = node.attributes
    return (
        _classed(node, _PANEL)
        or attributes.get("aria-hidden") == "true"
        or "hidden" in attributes
        or _PANEL.search(attributes.get("id") or "") is not None
        or "none" in (attributes.get("style") or "")
    )


def _classed(node: LexborNode, words: re.Pattern[str]) -> bool:
    return words.search(node.attributes.get("class") or "") is not None


def _next(node: LexborNode) -> LexborNode | None:
    following = node.next
    while following is not None and not following.is_element_node:
        following = following.next
    return following
