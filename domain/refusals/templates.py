"""E-mail templates."""

from domain.refusals.wording import register

for _code, _status, _zh_texts, _en_texts in (
    ("template_bad_invoke_name", 422,
     ("调用名称“{name}”无效。", "请使用 1 至 64 个字母、数字、下划线或连字符，且不要写成编号（UUID）的样子。"),
     ("“{name}” cannot be an invoke name.", "Use 1 to 64 letters, digits, underscores or hyphens, "
      "not shaped as a UUID.")),
    ("template_bad_name", 422, ("模板名称无效。", "请最多使用 {limit} 个字符，不要换行。"),
     ("This cannot be the name of a template.", "Use at most {limit} characters in one line.")),
    ("template_exists", 409, ("调用名称 {name} 已被另一个模板使用。", "请换一个名称，或修改那个模板。"),
     ("Another template has the invoke name {name}.", "Choose another name, or edit that template.")),
    ("template_content", 422, ("{zh}", "修改后请重试。"), ("{en}", "Correct it and try again.")),
    ("template_kind_fixed", 409,
     ("模板已经提交过审核，类型（{kind}）不能再改。", "请新建一个所需类型的模板。"),
     ("The template was submitted as {kind}, and its kind cannot change any more.",
      "Create a template of the kind you need.")),
    ("template_is_sample", 409, ("{name} 是平台提供的示例模板，不能修改。", "请新建模板，可从示例复制内容。"),
     ("{name} is a sample of the platform and cannot be changed.", "Create a template; you may copy the sample.")),
    ("too_many_templates", 409, ("每个账户最多 {limit} 个模板。", "请先删除不用的模板。"),
     ("An account may have {limit} templates.", "Delete one you do not use.")),
    ("template_under_review", 409, ("第 {number} 版正在审核中。",
      "请等待审核结果，或先撤回第 {number} 版，再提交新版。"),
     ("Version {number} is under review.", "Wait for its decision, or withdraw it before you submit another.")),
    ("template_nothing_to_submit", 409,
     ("没有待提交的草稿（最新一版的状态是 {state}）。", "请先修改模板，保存后会产生新的草稿。"),
     ("There is no draft to submit; the latest version is {state}.", "Edit the template: saving makes a new draft.")),
    ("template_nothing_to_withdraw", 409, ("没有正在审核的版本。", "审核可能已有结果，请刷新页面查看。"),
     ("No version is under review.", "It may have been decided: read the template again.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)
register(
    "api_user_disabled",
    409,
    ("API_USER“{name}”已停用。", "请启用它，或选择另一个。"),
    ("API user “{name}” is disabled.", "Enable it, or pick another one."),
)
