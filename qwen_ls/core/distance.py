"""How far two lines are from each other. Pure."""

from __future__ import annotations


def edit_distance(one: str, other: str, limit: int) -> int:
    """The Levenshtein distance of two texts, or `limit + 1` where it is more than `limit`.

    Looks only at the band of the table that can stay within the limit: a line costs its length times that.
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    far = limit + 1
    row = [column if column <= limit else far for column in range(len(other) + 1)]
    for n, char in enumerate(one, start=1):
        low, high = max(1, n - limit), min(len(other), n + limit)
        diagonal, row[low - 1] = row[low - 1], n if low == 1 and n <= limit else far
        for column in range(low, high + 1):
            cost = min(diagonal + (char != other[column - 1]), row[column - 1] + 1, row[column] + 1)
            diagonal, row[column] = row[column], min(cost, far)
        if high < len(other):
            row[high + 1] = far
        if min(row[low - 1 : high + 1]) > limit:
            return far
    return row[-1]


def is_near(one: str, other: str, share: float) -> bool:
    """Whether two texts differ by at most this share of the longer one."""
    limit = int(max(len(one), len(other)) * share)
    return one == other or edit_distance(one, other, limit) <= limit
