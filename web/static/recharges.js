// An order that follows itself until nothing moves any more; amounts that fill the field in.
"use strict";

const place = document.getElementById("live");
const LOOK_EVERY = 2000;
let looking = null;

async function look() {
  if (document.hidden) return;
  const answer = await fetch(place.dataset.live, { redirect: "error" });
  if (!answer.ok) return;
  const html = await answer.text();
  if (words(html) !== words(place.innerHTML)) replace(html);
  if (!place.querySelector("[data-moving=true]")) clearInterval(looking);
}

// What a person reads: the pay link is signed anew each time, which changes nothing.
function words(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent.replace(/\s+/g, " ").trim();
}

function replace(html) {
  const focused = place.contains(document.activeElement);
  place.innerHTML = html;
  if (focused) (place.querySelector("a.btn") || place).focus();
  if (!place.querySelector("[data-state=open]")) for (const form of document.querySelectorAll('form[action$="/close"]')) form.remove();
}

if (place && place.querySelector("[data-moving=true]")) {
  looking = setInterval(() => look().catch(() => {}), LOOK_EVERY); // a missed answer is made good by the next
}

const amount = document.getElementById("f-amount");
for (const preset of document.querySelectorAll("[data-amount]")) {
  preset.addEventListener("click", (event) => {
    event.preventDefault();
    amount.value = preset.dataset.amount;
    amount.focus();
  });
}
