"""Check digits: Luhn (cards, ISO/IEC 7812-1) and mod 97-10 (IBAN, ISO 13616). What passes them is no accident."""

from __future__ import annotations


def luhn_digit(digits: str) -> str:
    """The digit that makes these digits, with it behind them, pass Luhn's test."""
    total = 0
    for position, char in enumerate(reversed(digits)):
        doubled = int(char) * (2 if position % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    return len(digits) > 1 and luhn_digit(digits[:-1]) == digits[-1]


def iban_check(country: str, account: str) -> str:
    """The two check digits of an IBAN."""
    return f"{98 - _mod97(account + country + '00'):02}"


def passes_iban(iban: str) -> bool:
    """Whether an IBAN without spaces has the right check digits."""
    return _mod97(iban[4:] + iban[:4]) == 1


def _mod97(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97
