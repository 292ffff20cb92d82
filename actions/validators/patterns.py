"""What must not stand in an answer, as patterns and check sums. Pure.

Every rule is `text -> {what was found: how often}`; none keeps what it found.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

# Every repetition before the last has a bound: a text cannot make a rule slow.
_SECRETS = {
    "private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
    "API key": r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj-|ant-)?[A-Za-z0-9_-]{16,400}",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,400}|github_pat_[A-Za-z0-9_]{30,400})",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{16,400}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,400}",
    "Slack webhook": r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,400}",
    "AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "Google key": r"\bAIza[A-Za-z0-9_-]{30,400}",
    "webhook secret": r"\bwhsec_[A-Za-z0-9+/=]{16,400}",
    "Omni key": r"\bomni_[0-9a-f]{8}_[A-Za-z0-9_-]{20,400}",
    "signed token": r"\beyJ[A-Za-z0-9_-]{8,400}\.[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,}",
    "bearer token": r"(?i)\bbearer\s{1,9}[A-Za-z0-9._~+/-]{16,400}",
    "address with a password": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,100}@",
    "password": r"(?i)\b(?:password|passwd|senha|contraseña|api[_ -]?key|secret|token)\s{0,9}[:=]"
                r"\s{0,9}[\"']?(?=[^\s\"']{0,99}\d)[^\s\"']{8,}",
}
_ECHOES = {
    "order to forget the rules": r"(?i)\b(?:ignore|disregard|forget|ignora|esque[çc]a|"
        r"olvida|desconsidere)\b[^.\n]{0,40}\b(?:instructions?|rules|prompts?|instruç(?:ões|ão)|"
        r"instrucoes|instrucciones|regras|reglas)\b",
    "words about its own rules": r"(?i)\b(?:system prompt|my (?:system )?instructions (?:are|say)|"
        r"developer message|you are chatgpt|as an? (?:ai|artificial intelligence) (?:language )?"
        r"model)\b",
    "marks of a model": r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?(?:think|thinking|tool_call|"
        r"function_calls?|system|assistant)>",
}
_MARKS = {
    "template mark": r"\$?\{\{[^{}\n]{0,200}\}\}|\{%[^%\n]{0,200}%\}|<%=?[^%\n]{0,200}%>|\$\{\w+\}|"
        r"%\(\w+\)s",
    "blank to fill in": r"(?i)\[(?:your|insert|customer|company|seu|sua|nome|nombre|name)\b"
        r"[^\]\n]{0,40}\]|\blorem ipsum\b|<(?:name|nome|nombre|date|data)>",
    "value that was not there": r"\[object Object\]|\A\s*(?:null|None|undefined|NaN)\s*\Z",
}
_BRANDS = re.compile(  # first digits and lengths of the card brands
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|"
    r"3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|"
    r"62\d{14,17}|606282\d{10}")
_RUN = re.compile(r"(?<![\d+])\d+(?:[ .-]\d+)*")  # digits in groups, as cards are written
_CARD_LENGTH = range(13, 20)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CPF = re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)|(?i:\bcpf\b)\D{0,12}(?<!\d)\d{11}(?!\d)")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])")
_DNI = re.compile(r"(?<![\w])([XYZ]?\d{7,8})-?([A-Z])(?!\w)")
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")

Rule = Callable[[str], Counter[str]]


def _searched(patterns: dict[str, str]) -> Rule:
    compiled = {what: re.compile(pattern) for what, pattern in patterns.items()}

    def find(text: str) -> Counter[str]:
        return Counter({what: sum(1 for _ in pattern.finditer(text))
                        for what, pattern in compiled.items()})

    return find


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others. Source: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits fit. Source: ISO 13616, modulo 97."""
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def cpf(digits: str) -> bool:
    """Whether both check digits of a Brazilian CPF fit; eleven equal digits are none."""
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        rest = sum(int(digit) * (length + 1 - place)
                   for place, digit in enumerate(digits[:length])) * 10 % 11 % 10
        if rest != int(digits[length]):
            return False
    return True


def _dni(number: str, letter: str) -> bool:
    """Whether the letter of a Spanish DNI or NIE fits."""
    plain = number.replace("X", "0").replace("Y", "1").replace("Z", "2")
    return len(plain) == 8 and _DNI_LETTERS[int(plain) % 23] == letter


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def _cards(text: str) -> Counter[str]:
    return Counter({"card number": sum(_cards_in(re.findall(r"\d+", run.group()))
                                       for run in _RUN.finditer(text))})


def _cards_in(groups: list[str]) -> int:
    """Neighbouring groups that make a card; other numbers may stand before and behind."""
    count = start = 0
    while start < len(groups):
        number, end, found = "", start, False
        while end < len(groups) and len(number) <= _CARD_LENGTH.stop and not found:
            number += groups[end]
            end += 1
            found = len(number) in _CARD_LENGTH and bool(_BRANDS.fullmatch(number)) and luhn(number)
        count += found
        start = end if found else start + 1
    return count


def _accounts(text: str) -> Counter[str]:
    return Counter({"IBAN": sum(1 for match in _IBAN.finditer(text) if iban(match.group()))})


def _people(text: str) -> Counter[str]:
    return Counter({
        "CPF": sum(1 for match in _CPF.finditer(text) if cpf(_digits(match.group()))),
        "US social security number": sum(1 for _ in _SSN.finditer(text)),
        "DNI or NIE": sum(1 for match in _DNI.finditer(text) if _dni(*match.groups()))})


def _unseen(text: str) -> Counter[str]:
    return Counter({"signs that turn or hide text": sum(1 for _ in _UNSEEN.finditer(text))})


RULES: dict[str, Rule] = {
    "secret": _searched(_SECRETS),
    "card_number": _cards,
    "bank_account": _accounts,
    "national_id": _people,
    "instruction_echo": _searched(_ECHOES),
    "template_mark": _searched(_MARKS),
    "hidden_text": _unseen,
}


def findings(text: str, *, rules: Iterable[str]) -> list[tuple[str, str, int]]:
    """(rule, what, how often) of everything the rules find, in their order."""
    return [(rule, what, count) for rule in rules
            for what, count in RULES[rule](text).items() if count]
