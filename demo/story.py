"""The demo's story: one customer, one reviewer in the Temporal UI and one in the console, from registration to the
last fen. A chapter per file; each step can be repeated after a fault: it looks before it creates.
"""

from collections import Counter
from collections.abc import Sequence

from demo.answering import Answering
from demo.browser import Reviewer
from demo.campaigning import Campaigning
from demo.certifying import Certifying
from demo.joining import Joining
from demo.listing import Listing
from demo.opening_sms import OpeningSms
from demo.parties import Http, Internet, Operator, PayDesk, Places
from demo.paying import Paying
from demo.scene import Customer, Material, Scene, Step, Watch
from demo.sending import Sending
from demo.texting import Texting
from demo.writing import Writing

Chapter = (
    type[Joining]
    | type[Writing]
    | type[Sending]
    | type[Listing]
    | type[Certifying]
    | type[Paying]
    | type[Campaigning]
    | type[Answering]
    | type[OpeningSms]
    | type[Texting]
)
CHAPTERS: tuple[Chapter, ...] = (
    Joining, Writing, Sending, Listing, Certifying, Paying, Campaigning, Answering, OpeningSms, Texting,
)  # fmt: skip
TO_THE_FIRST_SEND: tuple[Chapter, ...] = CHAPTERS[:3]


def _unwatched(counts: Counter[str], total: int) -> None:
    """Nobody follows the deliveries."""


class Story:
    """`steps` in order; call each. `watch` follows the deliveries."""

    def __init__(
        self, places: Places, material: Material, watch: Watch = _unwatched, chapters: Sequence[Chapter] = CHAPTERS
    ) -> None:
        self.customer = Customer()
        self._scene = Scene(
            places=places,
            material=material,
            customer=self.customer,
            api=Http(places.api),
            internet=Internet(places.sandbox),
            operator=Operator(places.temporal),
            reviewer=Reviewer(places.api, places.data),
            pay_desk=PayDesk(places.sandbox),
            watch=watch,
        )
        self.steps: list[Step] = [step for chapter in chapters for step in chapter(self._scene).steps]

    async def close(self) -> None:
        await self._scene.close()
