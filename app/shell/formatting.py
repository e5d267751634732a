"""Numbers, durations and sizes as text."""

from __future__ import annotations


def number(value: int) -> str:
    """1234 → '1,234'."""
    return f"{value:,}"


def percent(value: float) -> str:
    """0.678 → '67.8%'."""
    return f"{100 * value:.1f}%"


def duration(seconds: float) -> str:
    """125.0 → '2 min 05 s'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: int) -> str:
    """1500000 bytes → '1.5 MB'."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
