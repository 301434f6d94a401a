// Keeps the steps true: an event says that something changed, the page fetches the steps and exchanges those that differ.
"use strict";

const steps = document.querySelector("[data-path]");
const live = document.querySelector("[data-live]");
const spoken = document.querySelector("[data-announce]");
const RETRY_MS = 5000;
let drawing = Promise.resolve();

function exchange(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || old.outerHTML === fresh.outerHTML) return "";
  const focused = old.contains(document.activeElement);
  const moved = old.dataset.state !== fresh.dataset.state;
  old.replaceWith(fresh);
  if (focused) (fresh.querySelector("a") || fresh).focus();
  return moved ? fresh.dataset.says || "" : "";
}

async function redraw() {
  const answer = await fetch(steps.dataset.path);
  if (answer.redirected) return location.reload(); // signed out elsewhere
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const news = [...page.querySelectorAll("[data-step]")].map(exchange).filter(Boolean);
  if (news.length) spoken.textContent = news.join("; ");
}

// One at a time and in order: what is drawn last is what was asked for last.
function wanted() {
  drawing = drawing.then(redraw).catch(() => {});
}

function follow() {
  const source = new EventSource(steps.dataset.events);
  source.addEventListener("open", () => { live.hidden = false; });
  source.addEventListener("changed", wanted);
  source.addEventListener("error", () => {
    live.hidden = true;
    if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
    wanted();
    setTimeout(follow, RETRY_MS);
  });
}

follow();
