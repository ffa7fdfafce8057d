"""Written holes, each a line's middle or end that what stands around it decides. Data of our own, pure."""

from __future__ import annotations

from dataclasses import dataclass

CURSOR = "█"


@dataclass(frozen=True, slots=True)
class WrittenHole:
    """A place in a short document, and what belongs there."""

    language: str
    """The LSP language id."""
    before: str
    after: str
    answers: tuple[str, ...]
    """What is right, the likeliest first."""


def _hole(language: str, picture: str, *answers: str) -> WrittenHole:
    before, _, after = picture.lstrip("\n").partition(CURSOR)
    return WrittenHole(language, before, after, answers)


HOLES: tuple[WrittenHole, ...] = (
    _hole(
        "python",
        '''
def clamp(value, low, high):
    """Return value, but no less than low and no more than high."""
    if value < low:
        return low
    if █:
        return high
    return value
''',
        "value > high",
        "high < value",
    ),
    _hole(
        "javascript",
        """
function countWords(text) {
  const counts = new Map();
  for (const word of text.split(" ")) {
    const seen = counts.get(word) ?? 0;
    counts.set(█);
  }
  return counts;
}
""",
        "word, seen + 1",
    ),
    _hole(
        "go",
        """
package bank

type Account struct {
	Owner   string
	Balance int
}

func (a *Account) Deposit(amount int) {
	a.Balance += amount
}

func (a *Account) Withdraw(amount int) {
	a.█
}
""",
        "Balance -= amount",
    ),
    _hole(
        "rust",
        """
struct Rectangle {
    width: u32,
    height: u32,
}

impl Rectangle {
    fn area(&self) -> u32 {
        self.█
    }

    fn perimeter(&self) -> u32 {
        2 * (self.width + self.height)
    }
}
""",
        "width * self.height",
    ),
    _hole(
        "c",
        """
#include <stddef.h>

/* Returns the sum of the first n numbers. */
long sum(const int *numbers, size_t n)
{
    long total = 0;
    for (size_t i = 0; █) {
        total += numbers[i];
    }
    return total;
}
""",
        "i < n; i++",
        "i < n; ++i",
    ),
    _hole(
        "java",
        """
class Point {
    private final int x;
    private final int y;

    Point(int x, int y) {
        this.x = x;
        this.█
    }

    int getX() {
        return x;
    }
}
""",
        "y = y;",
    ),
    _hole(
        "sql",
        """
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER);

SELECT books.title, authors.name
FROM books
JOIN authors ON █
ORDER BY authors.name;
""",
        "books.author_id = authors.id",
        "authors.id = books.author_id",
    ),
    _hole(
        "shellscript",
        """
#!/bin/sh
backup() {
    source_file="$1"
    target_file="$2"
    cp █ "$target_file"
}

backup notes.txt notes.bak
""",
        '"$source_file"',
    ),
    _hole(
        "typescript",
        """
interface User {
  id: number;
  name: string;
}

function findUser(users: User[], id: number): User | undefined {
  return users.find((user) => user.█);
}
""",
        "id === id",
        "id == id",
    ),
    _hole(
        "ruby",
        """
class Stack
  def initialize
    @items = []
  end

  def push(item)
    █
  end

  def pop
    @items.pop
  end
end
""",
        "@items.push(item)",
        "@items << item",
        "@items.push item",
    ),
    _hole(
        "python",
        """
def celsius_to_fahrenheit(celsius):
    return celsius * 9 / 5 + 32


def fahrenheit_to_celsius(fahrenheit):
    return █


print(fahrenheit_to_celsius(212))
""",
        "(fahrenheit - 32) * 5 / 9",
        "(fahrenheit - 32) / 9 * 5",
        "(fahrenheit - 32) * (5 / 9)",
        "5 / 9 * (fahrenheit - 32)",
    ),
    _hole(
        "html",
        """
<ul>
  <li><a href="/home">Home</a></li>
  <li><a href="/news">News</a></li>
  <li><a href="█">About</a></li>
</ul>
""",
        "/about",
    ),
)
