"""What is wrong with a value, in the caller's language: pydantic says it in English only.

Error types: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

from collections.abc import Mapping
from typing import Any

_CHINESE = {
    "missing": "缺少此项。",
    "extra_forbidden": "没有这一项，请检查名称的拼写。",
    "none_required": "应为空（null）。",
    "json_invalid": "请求正文不是有效的 JSON。",
    "json_type": "应为 JSON 文本。",
    "model_type": "应为 JSON 对象。",
    "model_attributes_type": "应为 JSON 对象。",
    "dict_type": "应为 JSON 对象。",
    "mapping_type": "应为 JSON 对象。",
    "list_type": "应为 JSON 数组。",
    "set_type": "应为 JSON 数组。",
    "too_short": "至少需要 {min_length} 项，现有 {actual_length} 项。",
    "too_long": "最多 {max_length} 项，现有 {actual_length} 项。",
    "string_type": "应为文本（字符串）。",
    "string_too_short": "至少需要 {min_length} 个字符。",
    "string_too_long": "最多 {max_length} 个字符。",
    "string_pattern_mismatch": "格式不正确，应符合 {pattern}。",
    "string_unicode": "含有无效的字符。",
    "bytes_type": "应为文件或文本。",
    "bool_type": "应为 true 或 false。",
    "bool_parsing": "应为 true 或 false。",
    "int_type": "应为整数。",
    "int_parsing": "应为整数。",
    "int_parsing_size": "整数太大。",
    "int_from_float": "应为整数，不能带小数。",
    "float_type": "应为数字。",
    "float_parsing": "应为数字。",
    "finite_number": "应为有限的数字。",
    "decimal_type": "应为数字。",
    "decimal_parsing": "应为数字。",
    "decimal_max_digits": "最多 {max_digits} 位数字。",
    "decimal_max_places": "最多 {decimal_places} 位小数。",
    "decimal_whole_digits": "小数点前最多 {whole_digits} 位。",
    "greater_than": "应大于 {gt}。",
    "greater_than_equal": "不能小于 {ge}。",
    "less_than": "应小于 {lt}。",
    "less_than_equal": "不能大于 {le}。",
    "literal_error": "应为以下之一：{expected}。",
    "enum": "应为以下之一：{expected}。",
    "uuid_type": "应为 UUID。",
    "uuid_parsing": "不是有效的 UUID。",
    "uuid_version": "UUID 的版本应为 {expected_version}。",
    "date_type": "应为日期，例如 2026-11-23。",
    "date_parsing": "应为日期，例如 2026-11-23。",
    "date_from_datetime_parsing": "应为日期，例如 2026-11-23。",
    "date_from_datetime_inexact": "应为日期，不带时间，例如 2026-11-23。",
    "datetime_type": "应为时间（RFC 3339），例如 2026-11-23T08:00:00Z。",
    "datetime_parsing": "应为时间（RFC 3339），例如 2026-11-23T08:00:00Z。",
    "datetime_from_date_parsing": "应为时间（RFC 3339），例如 2026-11-23T08:00:00Z。",
    "datetime_object_invalid": "应为时间（RFC 3339），例如 2026-11-23T08:00:00Z。",
    "timezone_aware": "时间应带时区，例如 2026-11-23T08:00:00Z。",
    "url_type": "应为网址。",
    "url_parsing": "不是有效的网址。",
    "value_error": "这个值不正确。",
}
"""By pydantic's error type; `{names}` are of the error's context."""
OTHERWISE = "这个值不正确。"


def chinese(kind: str, context: Mapping[str, Any]) -> str:
    """What an error of this type says to a Chinese reader."""
    text = _CHINESE.get(kind, OTHERWISE)
    spoken = {name: str(value).replace(" or ", "、").replace(", ", "、") for name, value in context.items()}
    try:
        return text.format_map(spoken)
    except KeyError:  # a release of pydantic that gives less context
        return OTHERWISE


def is_spoken(kind: str) -> bool:
    """Whether the table has a text for errors of this type."""
    return kind in _CHINESE
