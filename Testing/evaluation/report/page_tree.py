"""Reading a page without a browser."""

from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder


class _Tree(HTMLParser):
    """A page as a browser would nest it, if every element that is not void is closed."""

    VOID = ("meta", "img", "br", "hr", "link", "input")

    def __init__(self) -> None:
        super().__init__()
        self.builder = TreeBuilder()

    def handle_starttag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        if tag in self.VOID:
            self.builder.end(tag)

    def handle_endtag(self, tag):
        self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)

    def handle_decl(self, declaration):
        assert declaration == "DOCTYPE html"


def parse(path: Path) -> Element:
    tree = _Tree()
    tree.feed(path.read_text(encoding="utf-8").replace("<!DOCTYPE html>\n", "", 1))
    return tree.builder.close()


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())
