"""Whatever a text holds, it stays a text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, strategies as st

from rotator.serve.markup import el, visible, written


class _Read(HTMLParser):
    """What a parser makes of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "' onmouseover='x",
            "<!-- ",
            "]]>",
            "&lt;b&gt;",
            "</style><script>",
            "\u202egnp\u202c",
            "a\x00b\x1b[31m\r\n",
            "\ud800",
        ]
    ),
)


def read(html: str) -> _Read:
    """Parse a page."""
    parser = _Read()
    parser.feed(html)
    parser.close()
    return parser


@given(text=hostile, value=hostile)
def test_a_text_is_never_markup(text: str, value: str) -> None:
    """A parser finds our elements alone, and the text as it can be seen."""
    page = read(written(el("p", text, el("br"), title=value)))
    assert page.tags == ["p", "br"]
    assert page.text == visible(text)
    assert page.values == [visible(value)]


@given(text=hostile)
def test_what_cannot_be_seen_is_written_out(text: str) -> None:
    """No control character, override of direction or lone surrogate reaches a page."""
    page = written(el("p", text))
    assert page.isprintable()
    page.encode()


def test_a_visible_text_is_left_alone() -> None:
    """Letters of every script are printable."""
    assert visible("Zürich 東京 אבג") == "Zürich 東京 אבג"
    assert visible("a\u202eb") == "a\\u202eb"


def test_attributes_are_left_out_or_bare() -> None:
    """None and False are absent, True is the bare name, names follow HTML."""
    node = el(
        "a", "x", class_="big", aria_sort="none", hidden=True, open=False, id=None, tabindex=0
    )
    assert written(node) == '<a class="big" aria-sort="none" hidden tabindex="0">x</a>'


def test_children_may_be_nested_or_absent() -> None:
    """Iterables are flattened, None is nothing, a void element has no end."""
    node = el("p", ["a", None, (c for c in ("b", el("br")))])
    assert written(node) == "<p>ab<br></p>"
