// The preview beside the form of an SMS template follows what is typed. Without this script it shows what was saved.
const PAUSE_MS = 350;
const form = document.querySelector("form[data-preview]");
const place = document.getElementById("sms-preview");
let waiting;
let asked = 0;

async function draw() {
  const number = ++asked;
  const answer = await fetch(form.dataset.preview, { method: "POST", body: shown(), redirect: "error" });
  if (number !== asked || !answer.ok) return; // a later one is under way
  place.innerHTML = await answer.text();
}

function shown() {
  const fields = new FormData(form);
  fields.delete("step");
  return fields;
}

if (form && place) {
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => draw().catch(() => {}), PAUSE_MS);
  });
}
