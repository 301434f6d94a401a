"""What the names in a request for a campaign stand for. Asked when one is made, and when one is planned."""

from domain.acceptance import check_identity
from domain.accounts import Caller
from domain.campaigns import CampaignNames, NewCampaign
from domain.errors import Refusal
from domain.sending import SendRequest
from store import campaigns
from store.accepting import identify
from store.db import Connection


async def names_in(connection: Connection, caller: Caller, asked: NewCampaign) -> CampaignNames:
    """The ids behind the names. Raises `Refusal` with the field that names nothing, or nothing that can be used."""
    request = SendRequest(
        asked.api_user, asked.template, asked.sender, (), asked.sender_name, asked.reply_to, asked.label
    )
    identity = await identify(connection, caller, request)
    if identity.api_user_kind == "trigger":
        raise Refusal("campaign_needs_batch", field="api_user", name=asked.api_user)
    check_identity(identity, request)
    if identity.is_test:
        raise Refusal("campaign_test_user", field="api_user")
    found = await campaigns.find_lists(connection, caller.account_id, asked.lists)
    for place, (name, known) in enumerate(found):
        if known is None:
            raise Refusal("campaign_list_unknown", field=f"lists[{place}]", name=name[:100])
    lists = tuple(dict.fromkeys(known for _, known in found if known is not None))
    ids = (identity.api_user_id, identity.template_id, identity.version_id, identity.domain_id)
    named = [one for one in ids if one is not None]
    if len(named) < len(ids):
        raise RuntimeError("check_identity let a missing name pass")
    api_user, template, version, domain = named
    return CampaignNames(api_user, template, version, domain, lists)
