// The state and the delivery log of one webhook, live: the part is asked for again, and swapped when it changed.
"use strict";

const place = document.getElementById("live");
const LOOK_EVERY = 2000;
let shown = null; // what the page came with may be older than the first answer, so that one always counts

function changed(control) {
  if (control.tagName !== "SELECT") return control.value !== control.defaultValue;
  const first = Array.from(control.options).findIndex((option) => option.defaultSelected);
  return control.selectedIndex !== Math.max(first, 0);
}

// Somebody is at the part's controls, or has chosen something that is not sent yet: a swap would take it away.
function inUse() {
  const controls = Array.from(place.querySelectorAll("select, input:not([type=hidden])"));
  return place.contains(document.activeElement) || controls.some(changed);
}

async function look() {
  if (document.hidden || inUse()) return;
  const answer = await fetch(place.dataset.live, { redirect: "error" });
  if (!answer.ok) return;
  const html = await answer.text();
  if (inUse()) return; // since we asked
  if (html !== shown) place.innerHTML = html;
  shown = html;
}

if (place) {
  look().catch(() => {});
  setInterval(() => look().catch(() => {}), LOOK_EVERY); // a missed answer is made good by the next
}
