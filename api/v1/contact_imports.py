"""`/v1/contact-lists/{contact_list_id}/imports`: as for address lists."""

from api.v1.audience_imports import router_of

router = router_of(
    "/v1/contact-lists", ("contact_list_id", "contact_import_id"), "contact lists",
    lambda served: served.contact_imports,
)  # fmt: skip
