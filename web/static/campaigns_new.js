// Whoever enters a time means it: its choice is made with it.
"use strict";

const choices = { start_at: "[name=when][value=at]", hours_from: "[name=daily]", hours_to: "[name=daily]" };

for (const [name, choice] of Object.entries(choices)) {
  document.querySelector(`input[name=${name}]:not([type=hidden])`)?.addEventListener("input", (event) => {
    if (event.target.value) document.querySelector(choice).checked = true;
  });
}
