// A send's progress, asked for while messages wait; the result of a check; the variables of the chosen template.
"use strict";

const board = document.querySelector("[data-progress]");
const FIRST_WAIT = 1000, LONGEST_WAIT = 10000;

function show(progress) {
  board.querySelector("[data-percent]").textContent = progress.percent;
  const status = board.querySelector("[data-status]");
  const text = progress.finished ? status.dataset.done : status.dataset.busy;
  if (status.textContent !== text) status.textContent = text;
  for (const part of progress.parts) {
    const bar = board.querySelector(`[data-outcome=${part.outcome}]`);
    bar.setAttribute("x", part.x);
    bar.setAttribute("width", part.width);
    board.querySelector(`[data-count=${part.outcome}]`).textContent = part.count;
  }
}

// The table comes from the page itself; attempts that are unfolded stay so.
async function refreshTable(finished) {
  const old = document.getElementById("messages");
  if (!finished && old.contains(document.activeElement)) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("messages");
  for (const open of old.querySelectorAll("details[open]")) {
    fresh.querySelector(`details[data-message="${open.dataset.message}"]`)?.setAttribute("open", "");
  }
  old.replaceWith(fresh);
}

async function follow(wait, seen) {
  try {
    const answer = await fetch(board.dataset.progress, { headers: { Accept: "application/json" } });
    if (answer.status === 404 || answer.redirected) return;
    const text = answer.ok ? await answer.text() : seen;
    const changed = text !== seen;
    if (changed) {
      const progress = JSON.parse(text);
      show(progress);
      await refreshTable(progress.finished);
      if (progress.finished) { board.dataset.finished = "true"; return; }
    }
    wait = changed ? FIRST_WAIT : Math.min(wait * 1.5, LONGEST_WAIT);
    seen = text;
  } catch { wait = LONGEST_WAIT; }
  setTimeout(() => follow(wait, seen), wait);
}

if (board && board.dataset.finished === "false") setTimeout(() => follow(FIRST_WAIT, ""), FIRST_WAIT);

// What a check found is below the form: go there, unless a field wants attention.
if (!document.querySelector("[aria-invalid=true]")) document.getElementById("check")?.focus();

for (const select of document.querySelectorAll("[data-reloads]")) {
  select.addEventListener("change", () => {
    const form = select.form;
    const chosen = new URLSearchParams([...form.querySelectorAll("[data-reloads]")].map(each => [each.name, each.value]));
    location.assign(`${form.dataset.reload}?${chosen}`);
  });
}
