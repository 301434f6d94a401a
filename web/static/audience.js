// An import's page, kept true: an event says that the import got on, the page fetches the part that changes.
"use strict";

const board = document.querySelector("[data-import]");
const RETRY_MS = 5000;
let drawing = Promise.resolve();

async function redraw() {
  const old = board.querySelector("[data-live]");
  const answer = await fetch(`${board.dataset.import}/live`);
  if (answer.redirected) return location.reload(); // signed out elsewhere
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  const stays = old.contains(document.activeElement) && fresh.dataset.ended === "false";
  if (fresh && !stays) old.replaceWith(fresh); // a button that is about to be pressed stays where it is
}

// One at a time and in order: what is drawn last is what was asked for last.
function wanted() {
  drawing = drawing.then(redraw).catch(() => {});
  return drawing;
}

function follow() {
  const source = new EventSource(`${board.dataset.import}/events`);
  source.addEventListener("changed", async () => {
    await wanted();
    if (board.querySelector("[data-live]").dataset.ended === "true") source.close();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
    wanted();
    setTimeout(follow, RETRY_MS);
  });
}

if (board && board.querySelector("[data-live]").dataset.ended === "false") follow();
