// A campaign's page, live: each event holds the part that changes; pieces that differ are exchanged.
"use strict";

const live = document.getElementById("live");
const spoken = document.querySelector("[data-announce]");
const RETRY_MS = 5000;

function exchange(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || old.outerHTML === fresh.outerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = focused?.closest("form")?.getAttribute("action");
  old.replaceWith(fresh);
  if (focused) (fresh.querySelector(`form[action="${place}"] button`) || fresh.querySelector("a, button") || live).focus();
}

function draw(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = page.querySelector("[data-state]"), old = live.querySelector("[data-state]");
  if (fresh.dataset.state !== old.dataset.state) spoken.textContent = fresh.dataset.says;
  for (const part of [...page.querySelectorAll("[data-part]")]) exchange(part);
  return fresh.dataset.over === "true";
}

function follow() {
  const source = new EventSource(live.dataset.events);
  source.addEventListener(live.dataset.event || "campaign", (event) => { if (draw(JSON.parse(event.data))) source.close(); });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS); // else the browser reconnects by itself
  });
}

if (live.querySelector("[data-over=false]")) follow();
