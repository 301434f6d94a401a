"""Where the Temporal UI shows a process."""

from urllib.parse import quote

from domain.policy import Policy


def process_url(policy: Policy, workflow_id: str) -> str:
    """The page of one workflow; its id holds a slash, which the UI wants quoted."""
    namespace = quote(policy.temporal_namespace, safe="")
    return f"{policy.temporal_ui_url}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
