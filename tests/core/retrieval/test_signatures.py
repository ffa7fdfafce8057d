"""What a file offers, without its bodies, and which files nobody wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.generated import is_generated
from qwen_ls.core.retrieval.signatures import MOST_LINES, signatures

PYTHON = (
    '''"""A shop."""
import os

LIMIT: int = 3
rate = 0.2

class Kind(Enum):
    SOLD = 1

@dataclass
class Order:
    """One order.

    Args:
        price: what it costs
        name: whose it is
    """

    price: float
    name: str = "x"

    def total(
        self,
        rate: float,
        tax: float = 0.0,
        *,
        customer: str = "",
        seed: int = 0,
        rounded: bool = False,
        limit: int | None = None,
    ) -> float:
        value = self.price
        def inner(): pass
        return value

    def _private(self): ...

async def fetch(url: str) -> Order:
    return await get(url)

def _helper():
    pass
''',
    """LIMIT: int = 3
rate = 0.2
class Kind(Enum):
    SOLD = 1
class Order:
    price: float
    name: str = "x"
    def total(
        self,
        rate: float,
        tax: float = 0.0,
        *,
        customer: str = "",
        seed: int = 0,
        rounded: bool = False,
        limit: int | None = None,
    ) -> float: ...
async def fetch(url: str) -> Order: ...
""",
)
TYPESCRIPT = (
    """import x from './x';
export interface Order {
  price: number;
  name?: string;
}
export type Id = string | number;
export class Book extends Base {
  private orders = [];
  constructor(a: number) {
    super(a);
  }
  async total(rate: number): Promise<number> {
    if (rate) {
      return 1;
    }
    return 2;
  }
}
export function find(id: Id): Order {
  return all[id];
}
""",
    """export interface Order {
  price: number;
  name?: string;
}
export type Id = string | number;
export class Book extends Base {
  constructor(a: number) { ...
  async total(rate: number): Promise<number> { ...
export function find(id: Id): Order { ...
""",
)
GO = (
    """package shop

// Order is one.
type Order struct {
	Price float64
}

func (o *Order) Total(rate float64) float64 {
	if rate > 0 {
		return o.Price
	}
	return 0
}

func helper() {}

func Find(id string) (*Order, error) {
	return nil, nil
}
""",
    """type Order struct {
	Price float64
}
func (o *Order) Total(rate float64) float64 { ...
func Find(id string) (*Order, error) { ...
""",
)
RUST = (
    """use std::fmt;

pub struct Order {
    pub price: f64,
}

impl Order {
    pub fn total(&self, rate: f64) -> f64 {
        self.price * rate
    }
    fn hidden(&self) {}
}

pub fn find(id: &str) -> Option<Order> {
    None
}

fn private() {}
""",
    """pub struct Order {
    pub price: f64,
}
impl Order {
    pub fn total(&self, rate: f64) -> f64 { ...
pub fn find(id: &str) -> Option<Order> { ...
""",
)
C = (
    """#include <stdio.h>
#define LIMIT 3
typedef struct order {
    double price;
} order_t;

double order_total(const order_t *order, double rate);

static int helper(int x) {
    return x;
}

int order_find(const char *id) {
    return 0;
}
""",
    """#define LIMIT 3
typedef struct order {
    double price;
} order_t;
double order_total(const order_t *order, double rate);
int order_find(const char *id) { ...
""",
)
JAVA = (
    """package x;

import y.Z;

public class Order extends Base {
    private int count;
    public static final int LIMIT = 3;

    public Order(int price) {
        this.price = price;
    }

    public double total(double rate) {
        return price * rate;
    }

    private void hidden() {
    }
}
""",
    """public class Order extends Base {
    public static final int LIMIT = 3;
    public Order(int price) { ...
    public double total(double rate) { ...
""",
)


@pytest.mark.parametrize(
    ("path", "case"),
    [
        ("a.py", PYTHON),
        ("a.ts", TYPESCRIPT),
        ("a.go", GO),
        ("a.rs", RUST),
        ("a.h", C),
        ("A.java", JAVA),
    ],
    ids=["python", "typescript", "go", "rust", "c", "java"],
)
def test_declarations_without_bodies(path: str, case: tuple[str, str]) -> None:
    text, extract = case
    assert signatures(text, path) == extract


def test_only_what_is_imported() -> None:
    assert signatures(PYTHON[0], "a.py", frozenset({"fetch"})) == "async def fetch(url: str) -> Order: ...\n"


def test_all_where_the_name_is_not_found() -> None:
    assert signatures(PYTHON[0], "a.py", frozenset({"nothing"})) == PYTHON[1]


def test_a_language_without_rules_has_none() -> None:
    assert signatures("body { color: red }", "a.css") == ""


def test_an_extract_is_short() -> None:
    text = "".join(f"def f{n}(x):\n    return x\n\n" for n in range(500))
    assert signatures(text, "a.py").count("\n") == MOST_LINES


@given(
    st.text(alphabet="def class func fn pub(){}[]:;=<>\n \t#/*x", max_size=300),
    st.sampled_from(["a.py", "a.ts", "a.go", "a.rs", "a.c", "a.java"]),
)
def test_an_extract_has_only_lines_of_the_file(text: str, path: str) -> None:
    lines = {line.strip() for line in text.splitlines()}
    assert {
        line.strip().removesuffix(" ...").strip() for line in signatures(text, path).splitlines()
    } <= lines | {""}


@pytest.mark.parametrize(
    ("path", "lines", "expected"),
    [
        ("src/app.py", ["import os\n"], False),
        ("src/generate.py", ["# Tables that are generated from rows are written here.\n"], False),
        ("src/table.py", ["# Generated by generate.py\n"], True),
        ("node_modules/x/index.js", [], True),
        (".venv/lib/x.py", [], True),
        ("static/app.min.js", [], True),
        ("proto/shop_pb2.py", [], True),
        ("shop.pb.go", [], True),
        ("Cargo.lock", [], True),
        ("package-lock.json", [], True),
        ("a.go", ["// Code generated by protoc-gen-go. DO NOT EDIT.\n"], True),
        ("a.ts", ["/* eslint-disable */\n", "// @generated\n"], True),
        ("a.js", ["x=1;" * 500], True),
        ("a.js", ["const x = 1;\n"] * 50, False),
    ],
)
def test_generated(path: str, lines: list[str], expected: bool) -> None:
    assert is_generated(path, lines) is expected
