// The state and the delivery log of one webhook, live: the part is asked for again, and swapped when it changed.
"use strict";

const place = document.getElementById("live");
const LOOK_EVERY = 2000;
let shown = null; // what the page came with may be older than the first answer, so that one always counts

async function look() {
  if (document.hidden || place.contains(document.activeElement)) return;
  const answer = await fetch(place.dataset.live, { redirect: "error" });
  if (!answer.ok) return;
  const html = await answer.text();
  if (html !== shown) place.innerHTML = html;
  shown = html;
}

if (place) {
  look().catch(() => {});
  setInterval(() => look().catch(() => {}), LOOK_EVERY); // a missed answer is made good by the next
}
