"""Addresses and recipient lists (domain/addresses.py, domain/recipients.py)."""

from domain.refusals.wording import register

_FIX_ADDRESS = ("请改成形如 name@example.com 的地址。", "Write it like name@example.com.")
for _code, _zh, _en in (
    ("address_empty", "没有填写邮箱地址。", "There is no address."),
    ("address_no_at", "邮箱地址里缺少 @。", "An address needs an @ between name and domain."),
    ("address_local_part", "@ 前面的部分不正确。", "The part before the @ is not valid."),
    ("address_domain", "@ 后面的部分不是有效的域名。", "The part after the @ is not a domain name."),
    ("address_too_long", "邮箱地址太长（@ 前最多 64 字节，总共最多 254 字节）。",
     "The address is too long: at most 64 octets before the @, 254 in all."),
    ("address_control", "邮箱地址里有控制字符。", "The address contains control characters."),
):  # fmt: skip
    register(_code, 422, (_zh, _FIX_ADDRESS[0]), (_en, _FIX_ADDRESS[1]))
register(
    "address_smtputf8", 422,
    ("@ 前面有非英文字符，只有支持 SMTPUTF8 的邮箱能收到。", "如有可能，请改用英文地址。"),
    ("The part before the @ is not ASCII: only servers with SMTPUTF8 can take it.",
     "Use an ASCII address if there is one."),
)  # fmt: skip
_SAVE_CSV = ("请另存为“CSV UTF-8（逗号分隔）”后重新上传。", "Save it as “CSV UTF-8 (comma delimited)” and upload that.")
_FIX_LINE = ("请修改这一行，或选择跳过有问题的行。", "Correct this line, or choose to skip bad lines.")
_ADD_HEADER = (
    "请在第一行写明列名，其中一列叫 email，例如：email,name,city。",
    "Write the column names on the first line, one of them email: email,name,city.",
)
for _code, _status, _zh_texts, _en_texts in (
    ("csv_too_large", 413, ("文件超过 {limit} MB。", "请拆分成较小的文件。"),
     ("The file is larger than {limit} MB.", "Split it into smaller files.")),
    ("csv_spreadsheet", 422, ("这是 Excel 工作簿，不是 CSV 文件。", _SAVE_CSV[0]),
     ("This is an Excel workbook, not a CSV file.", _SAVE_CSV[1])),
    ("csv_not_text", 422, ("这个文件不是文本，或编码无法识别（支持 UTF-8、GB18030、带 BOM 的 UTF-16）。", _SAVE_CSV[0]),
     ("This is not text in UTF-8, GB18030 or UTF-16 with BOM.", _SAVE_CSV[1])),
    ("csv_empty", 422, ("文件是空的。", _ADD_HEADER[0]), ("The file is empty.", _ADD_HEADER[1])),
    ("csv_no_lines", 422, ("列名下面没有任何收件人。", "请每行写一个收件人。"),
     ("There is no recipient below the header.", "Write one recipient per line.")),
    ("csv_header_broken", 422, ("列名这一行无法读取。", _ADD_HEADER[0]),
     ("The header line cannot be read.", _ADD_HEADER[1])),
    ("csv_header_missing", 422, ("第一行不是列名，而是收件人。", _ADD_HEADER[0]),
     ("The first line is a recipient, not column names.", _ADD_HEADER[1])),
    ("csv_too_many_columns", 422, ("共有 {found} 列，最多 {limit} 列。", "请只保留邮箱地址和模板变量所在的列。"),
     ("There are {found} columns; at most {limit} are possible.",
      "Keep the address and the columns that the template uses.")),
    ("csv_no_address_column", 422, ("找不到邮箱地址列（现有列：{columns}）。", "请把邮箱地址所在列的列名改为 email。"),
     ("No column holds e-mail addresses (columns: {columns}).", "Name the column of the addresses email.")),
    ("csv_address_ambiguous", 422, ("有几列都像邮箱地址：{columns}。", "请把要发送的那一列的列名改为 email。"),
     ("Several columns look like addresses: {columns}.", "Name the one to send to email.")),
    ("csv_too_many", 422, ("共有 {found} 个收件人，一次最多 {limit} 个。", "请拆分成几个文件，分几次发送。"),
     ("There are {found} recipients; one request takes at most {limit}.", "Split the file and send it in parts.")),
    ("csv_problems", 422,
     ("有 {count} 行无法使用，第一处在第 {line} 行。", "请修改这些行，或选择跳过有问题的行（skip_invalid）。"),
     ("{count} lines cannot be used; the first is line {line}.",
      "Correct these lines, or skip them (skip_invalid).")),
    ("csv_columns_missing", 422,
     ("模板需要变量 {names}，文件中没有对应的列（现有列：{columns}）。", "请添加同名的列，或换一个模板。"),
     ("The template needs {names}, but the file has no such column (columns: {columns}).",
      "Add columns of these names, or choose another template.")),
    ("test_needs_confirmed", 409,
     ("测试邮件只发往您已确认的邮箱，而您的邮箱尚未确认。", "请点击注册邮件中的确认链接，再回到本页。"),
     ("A test mail goes to your confirmed address, and yours is not confirmed yet.",
      "Follow the link in the registration mail, then come back.")),
    ("csv_undecodable", 422, ("这一行的编码无法识别。", _FIX_LINE[0]),
     ("The encoding of this line is unknown.", _FIX_LINE[1])),
    ("csv_line_too_long", 422, ("这一行太长。", _FIX_LINE[0]), ("This line is too long.", _FIX_LINE[1])),
    ("csv_quote", 422, ("引号没有正确结束。", "引号内的引号要写两次；" + _FIX_LINE[0]),
     ("A quoted value does not end properly.", "Write quotes inside a quoted value twice. " + _FIX_LINE[1])),
    ("csv_fields", 422, ("应有 {expected} 列，实际有 {found} 列。", _FIX_LINE[0]),
     ("There should be {expected} fields, but there are {found}.", _FIX_LINE[1])),
    ("csv_value_too_long", 422, ("某个值超过 {limit} 个字符。", _FIX_LINE[0]),
     ("A value has more than {limit} characters.", _FIX_LINE[1])),
    ("csv_control", 422, ("某个值里有控制字符。", _FIX_LINE[0]),
     ("A value contains control characters.", _FIX_LINE[1])),
    ("csv_column_name", 422,
     ("列名“{name}”不能用作模板变量，这一列将被忽略。",
      "变量名由文字、数字和下划线组成，不以数字开头，最多 32 个字符。"),
     ("The column “{name}” cannot be a template variable and is ignored.",
      "Variable names have letters, digits and underscores, no digit first, at most 32.")),
    ("csv_column_repeated", 422, ("列名“{name}”出现了不止一次，只使用第一列。", "请修改列名。"),
     ("The column “{name}” appears more than once; the first one counts.", "Rename the others.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)
