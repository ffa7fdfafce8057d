"""`python -m tests.golden [--update] [NAME…]`: the cases that differ, or those drawn anew."""

from __future__ import annotations

import argparse

from tests.golden.picture import draw, every, save


def main() -> int:
    """Compare, or draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--update", action="store_true", help="draw the items anew; look at the difference")
    parser.add_argument("names", nargs="*", help="parts of names of cases; by default all")
    arguments = parser.parse_args()
    cases = [c for c in every() if not arguments.names or any(name in c.name for name in arguments.names)]
    different = 0
    for case in cases:
        drawn = draw(case)
        if drawn == case.item:
            continue
        different += not case.xfail
        print(
            f"──── {case.name}{' (xfail)' if case.xfail else ''}: {case.title}\n"
            f"{case.item}\n──── is\n{drawn}\n"
        )
        if arguments.update and not case.xfail:
            save(case, drawn)
    print(f"{len(cases)} cases, {different} differ")
    return int(bool(different))


if __name__ == "__main__":
    raise SystemExit(main())
