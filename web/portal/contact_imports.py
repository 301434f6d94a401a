"""/portal/contact-lists/{contact_list_id}/import: as for address lists."""

from web.portal.audience_imports import Kind, router_of

router = router_of(
    Kind("/portal/contact-lists", "contact_list_id", "contact_import_id", "contacts"),
    lambda served: served.contact_imports,
    lambda served, caller, list_id: served.contacts.get(caller, list_id),
)
