// Before a code is asked for: the proof of work. And how long until another one may be asked for.
"use strict";

function solution(parameters) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/static/proof_worker.js");
    worker.onmessage = (event) => { worker.terminate(); resolve(event.data); };
    worker.onerror = (event) => { worker.terminate(); reject(event); };
    worker.postMessage(parameters);
  });
}

async function proof(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`challenge: ${answer.status}`);
  const challenge = await answer.json();
  return btoa(JSON.stringify({ challenge, solution: await solution(challenge.parameters) }));
}

function whenSubmitted(form) {
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    button.textContent = form.dataset.working;
    try {
      form.elements.proof.value = await proof(form.dataset.proof);
    } catch {
      form.elements.proof.value = ""; // the server says what to do then
    }
    form.submit();
  });
}

function countDown(button) {
  const label = button.textContent, until = Date.now() + 1000 * Number(button.dataset.wait);
  const show = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? button.dataset.waiting.replace("{seconds}", left) : label;
    if (left > 0) setTimeout(show, 250);
  };
  show();
}

document.querySelectorAll("form[data-proof]").forEach(whenSubmitted);
document.querySelectorAll("[data-wait]").forEach(countDown);
