"""A program that is parallel where scoop_mpi is installed, and runs anywhere else, too.

    python -m scoop_mpi examples/conditional_import.py
    python examples/conditional_import.py
"""

try:
    from scoop_mpi.futures import map as map_
except ImportError:
    map_ = map


def is_leap(year: int) -> bool:
    """Does the year have a 29th of February?"""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def main() -> None:
    """Runs on the root only."""
    years = range(1900, 2101)
    leap = [year for year, answer in zip(years, map_(is_leap, years)) if answer]
    print(f"{len(leap)} leap years from {leap[0]} to {leap[-1]}")
    print("mapped by", map_.__module__)


if __name__ == "__main__":
    main()
