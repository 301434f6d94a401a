"""Personal details as they are shown: one function per kind (PIPL art. 51: what is not needed is not shown)."""


def mask_person(name: str) -> str:
    """`张三丰` as `张**`: the first character, and at most three stars, so that long names are not measured."""
    return name[:1] + "*" * min(len(name) - 1, 3) if name else ""


def mask_number(number: str) -> str:
    """`420602199001010071` as `4206**********0071`: what is short is hidden altogether."""
    if len(number) < 12:
        return "*" * len(number)
    return number[:4] + "*" * (len(number) - 8) + number[-4:]


def mask_address(address: str) -> str:
    """`li.lei@qq.com` as `l***@qq.com`: the first character and the domain, so that its owner recognises it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def mask_phone(phone: str) -> str:
    """`+8613800138000` as `+86138****8000`: the last four digits, and in front what tells country and carrier."""
    return f"{phone[:-8]}****{phone[-4:]}" if len(phone) > 10 else mask_number(phone)
