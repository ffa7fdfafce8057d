"""What a file declares, and the short extract of one declaration."""

from __future__ import annotations

from collections import Counter

from qwen_ls.core.retrieval.members import declared, extract, is_extract

PYTHON = '''
LIMIT = 3

class Shop(Base):
    """Sells."""

    name: str

    def __init__(self, name: str, prices: dict[str, float] | None = None) -> None:
        self.stock = {}
        self._secret = 1

    async def sell(self, item: str, *, count: int = 1, note: str = "a very long default of ours") -> Bill:
        self.sold = item

    def close(self):
        pass

    def _count(self):
        pass

def open_shop(
    name: str,
) -> Shop:
    return Shop(name)
'''


def test_an_extract_names_members_without_types_and_long_defaults() -> None:
    shop = declared(PYTHON, "shop.py")["Shop"]
    assert extract(shop, Counter({"sell": 1})) == (
        "class Shop(Base):\n"
        "    async def sell(item, *, count=1, note=...)\n"
        "    name: str\n"
        "    def __init__(name, prices=None)\n"
        "    def close()\n"
        "    # stock, sold\n"
    )


def test_what_a_class_and_a_function_are_made_from() -> None:
    found = declared(PYTHON, "shop.py")
    assert found["Shop"].made_from == ["Base"]
    assert found["open_shop"].made_from == ["Shop"]
    assert extract(found["open_shop"], Counter()) == "def open_shop(name: str) -> Shop:\n"


def test_of_many_members_the_likeliest_are_shown() -> None:
    many = "class Many:\n" + "".join(f"    def member_{n}(self): ...\n" for n in range(200))
    many += "    def write_header(self, name): ...\n"
    said = extract(declared(many, "many.py")["Many"], Counter({"header": 2}))
    assert said.splitlines()[1] == "    def write_header(name)"
    assert len(said) < 1500


def test_other_languages_have_members_too() -> None:
    text = "export class Shop {\n  sell(item: string) {\n    return 1;\n  }\n  close() {\n  }\n}\n"
    assert [one.name for one in declared(text, "shop.ts")["Shop"].members] == ["sell", "close"]


def test_an_extract_is_known_again_however_it_was_ranked() -> None:
    shop = declared(PYTHON, "shop.py")["Shop"]
    changed = declared(PYTHON.replace("count: int = 1", "count: int = 2"), "shop.py")["Shop"]
    said = extract(shop, Counter({"close": 1}))
    assert is_extract(said, shop)
    assert not is_extract(said, changed)
