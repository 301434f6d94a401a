// Copy buttons, questions before a change, one submit per form, and the menu's place. Pages work without it, save for copying.
"use strict";

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // plain HTTP has no clipboard API
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  await copyText(button.dataset.copy);
  button.textContent = button.dataset.done;
  button.focus();
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) { event.preventDefault(); return; }
  const button = event.submitter;
  if (button && !button.formTarget) setTimeout(() => { button.disabled = true; setTimeout(() => { button.disabled = false; }, 5000); });
});

// The menu is longer than many windows: show where we are.
document.querySelector(".songda-side [aria-current=page]")?.scrollIntoView({ block: "nearest" });
document.querySelector("[aria-invalid=true]")?.focus();
