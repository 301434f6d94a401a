// A domain's page, live: asks for the part that changes, and swaps it when it did. Counts down to the next look.
"use strict";

const live = document.getElementById("live");
const EVERY = 2000;
let last = null; // what the page came with may be older than the first answer, so that one always counts

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(live.dataset.live, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const html = await answer.text();
  if (html !== last) swap(html);
  last = html;
}

function swap(html) {
  const open = [...live.querySelectorAll("details[open]")].map((each) => each.id);
  const copies = [...live.querySelectorAll("[data-copy]")];
  const focused = copies.indexOf(document.activeElement);
  live.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused >= 0) live.querySelectorAll("[data-copy]")[focused]?.focus();
}

function countDown() {
  for (const place of live.querySelectorAll("[data-until]")) {
    const seconds = Math.round((new Date(place.dataset.until) - Date.now()) / 1000);
    const hours = Math.floor(seconds / 3600), minutes = Math.floor((seconds % 3600) / 60);
    const time = (hours ? `${hours}:` : "") + String(minutes).padStart(hours ? 2 : 1, "0") +
      ":" + String(seconds % 60).padStart(2, "0");
    place.textContent = seconds > 0 ? live.dataset.in.replace("{time}", time) : live.dataset.soon;
  }
}

setInterval(() => refresh().catch(() => {}), EVERY); // a missed answer is made good by the next
setInterval(countDown, 1000);
refresh().catch(() => {});
countDown();
