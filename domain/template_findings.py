"""The wording of what `domain.template_lint` finds: whether it is an error, Chinese, English."""

WORDS: dict[str, tuple[bool, str, str]] = {
    "too_large": (
        True,
        "模板共 {size} KB，超过上限 {limit} KB；请删减内容，图片请改用链接。",
        "the template has {size} KB, more than {limit} KB; shorten it and link to images instead of embedding them.",
    ),
    "bad_character": (
        True,
        "含有邮件不能携带的字符 {what}；请删除该字符。",
        "contains the character {what}, which no mail can carry; remove it.",
    ),
    "no_subject": (True, "没有填写；请填写邮件主题。", "is missing; give the mail a subject."),
    "long_subject": (
        True,
        "有 {length} 个字符，超过 {limit} 个；请缩短。",
        "has {length} characters, more than {limit}; shorten it.",
    ),
    "broken_subject": (True, "不能换行；请写成一行。", "has a line break; write it in one line."),
    "no_body": (True, "没有内容；请填写邮件正文。", "is empty; write the body of the mail."),
    "nothing_visible": (
        False,
        "收件人看不到任何文字或图片；请检查标签是否写全。",
        "shows neither text nor an image; check that every tag is complete.",
    ),
    "active_element": (
        True,
        "邮件中不能使用 <{what}>；请删除。",
        "<{what}> cannot be used in a mail; remove it.",
    ),
    "form_element": (
        True,
        "邮件中不能使用表单（<{name}>）；请改为指向网页表单的链接。",
        "a mail cannot hold a form (<{name}>); link to a form on a web page instead.",
    ),
    "refresh": (True, "不能用 <meta> 自动跳转；请删除。", "<meta> must not redirect; remove it."),
    "stylesheet": (
        False,
        "多数邮箱不加载外部样式表；请把样式写进正文。",
        "most mail programs load no external style sheet; put the styles into the mail.",
    ),
    "event_handler": (
        True,
        "不能使用事件属性 {name}；请删除。",
        "the event handler {name} cannot be used in a mail; remove it.",
    ),
    "script_link": (
        True,
        "{name} 不能使用 {what}: 链接；请改为 https 链接。",
        "{name} must not be a {what}: link; use an https link.",
    ),
    "data_link": (
        False,
        "很多邮箱不显示 data: 内嵌图片；请改用 https 图片链接。",
        "many mail programs do not show data: images; link to an https image.",
    ),
    "file_link": (
        False,
        "file: 链接只在您自己的电脑上有效；请改为 https 链接。",
        "file: links work on your own computer only; use an https link.",
    ),
    "relative_link": (
        False,
        "链接“{what}”不完整，收件人无法打开；请写完整的 https 地址。",
        "the link “{what}” is not complete and cannot be opened from a mail; write the whole https address.",
    ),
    "long_name": (
        False,
        "“%{name}…%”的变量名超过 32 个字符，将原样发送；请缩短。",
        "the variable name “%{name}…%” has more than 32 characters and will be sent as written; shorten it.",
    ),
    "foreign_name": (
        False,
        "“%{name}%”将原样发送；如果是变量，变量名只能用字母、数字和下划线。",
        "“%{name}%” will be sent as written; if it is a variable, use only letters, digits and underscores.",
    ),
    "unclosed": (
        False,
        "“%{name}”缺少结尾的 %，将原样发送；如果是变量，请写成 %{name}%。",
        "“%{name}” has no closing % and will be sent as written; if it is a variable, write %{name}%.",
    ),
    "misplaced": (
        True,
        "变量 %{name}% 不能放在这里（{where}）；变量只能用于文字、带引号的属性值和链接。",
        "the variable %{name}% cannot stand here ({where}); use variables in text, attribute values and links.",
    ),
    "in_comment": (
        False,
        "注释中的变量 %{name}% 不会被替换；请移出注释。",
        "the variable %{name}% is inside a comment and will be left out; move it out of the comment.",
    ),
    "system_variable": (
        False,
        "%{name}% 是系统变量（收件地址或退订链接），由系统自动填写；发送时不用提供它的值。",
        "%{name}% is a system variable (the recipient's address, or the link to unsubscribe) and is filled by itself; "
        "it needs no value when you send.",
    ),
    "look_alike": (
        False,
        "%{name}% 与 %{other}% 只有大小写不同，会被当作两个变量；请统一写法。",
        "%{name}% and %{other}% differ in letter case only and are two variables; write both in the same way.",
    ),
}
