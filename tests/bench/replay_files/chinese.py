"""图书馆的借阅记录：登记图书，借出与归还，计算逾期的罚款。"""

from dataclasses import dataclass, field
from datetime import date, timedelta

# 一次最多借几本，每本最多借多少天
MAX_BOOKS = 5
LOAN_DAYS = 30
# 每逾期一天的罚款，单位是分
DAILY_FINE = 20


class LoanError(Exception):
    """借书或还书不合规定，消息里写明原因。"""


@dataclass
class Book:
    """一本书。同一种书的每一本都有自己的编号。"""

    number: str
    title: str
    author: str
    borrowed_by: str | None = None
    due: date | None = None

    @property
    def is_available(self) -> bool:
        """这本书现在能不能借。"""
        return self.borrowed_by is None

    def days_late(self, today: date) -> int:
        """到今天为止逾期了多少天；没有借出或没有到期时是零。"""
        if self.due is None or today <= self.due:
            return 0
        return (today - self.due).days


@dataclass
class Reader:
    """一位读者，以及他正在借的书的编号。"""

    name: str
    books: set[str] = field(default_factory=set)
    fine: int = 0

    def may_borrow(self) -> bool:
        """没有欠款、也没有借满的读者才能再借。"""
        return self.fine == 0 and len(self.books) < MAX_BOOKS


class Library:
    """图书馆：所有的书和所有的读者。"""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._readers: dict[str, Reader] = {}

    def add_book(self, number: str, title: str, author: str) -> Book:
        """登记一本新书。编号不能重复。"""
        if number in self._books:
            raise LoanError(f"编号 {number} 已经有书了")
        book = Book(number, title, author)
        self._books[number] = book
        return book

    def reader(self, name: str) -> Reader:
        """按名字找读者，第一次来的自动登记。"""
        if name not in self._readers:
            self._readers[name] = Reader(name)
        return self._readers[name]

    def borrow(self, number: str, name: str, today: date) -> Book:
        """把一本书借给一位读者，从今天算起借期三十天。"""
        book = self._find(number)
        reader = self.reader(name)
        # 先看书在不在，再看读者能不能借
        if not book.is_available:
            raise LoanError(f"《{book.title}》已经借出，{book.due} 到期")
        if not reader.may_borrow():
            raise LoanError(f"{name} 有欠款，或者已经借满 {MAX_BOOKS} 本")
        book.borrowed_by = name
        book.due = today + timedelta(days=LOAN_DAYS)
        reader.books.add(number)
        return book

    def give_back(self, number: str, today: date) -> int:
        """归还一本书，返回这次的罚款（分）。"""
        book = self._find(number)
        if book.borrowed_by is None:
            raise LoanError(f"《{book.title}》没有借出")
        reader = self.reader(book.borrowed_by)
        fine = book.days_late(today) * DAILY_FINE
        # 罚款记在读者名下，付清以前不能再借
        reader.fine += fine
        reader.books.discard(number)
        book.borrowed_by = None
        book.due = None
        return fine

    def pay(self, name: str, amount: int) -> int:
        """读者付款，返回还欠多少；多付的部分不收。"""
        reader = self.reader(name)
        reader.fine -= min(amount, reader.fine)
        return reader.fine

    def late_books(self, today: date) -> list[tuple[Book, int]]:
        """所有逾期的书和逾期的天数，逾期最久的排在最前面。"""
        late = [(book, book.days_late(today)) for book in self._books.values()]
        return sorted((item for item in late if item[1] > 0), key=lambda item: -item[1])

    def search(self, words: str) -> list[Book]:
        """在书名和作者里找，所有的词都要出现。"""
        wanted = words.lower().split()
        found = []
        for book in self._books.values():
            text = f"{book.title} {book.author}".lower()
            if all(word in text for word in wanted):
                found.append(book)
        return sorted(found, key=lambda book: book.title)

    def _find(self, number: str) -> Book:
        """按编号找书，没有就报错。"""
        try:
            return self._books[number]
        except KeyError:
            raise LoanError(f"没有编号为 {number} 的书") from None
