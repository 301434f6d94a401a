// The handlers that starlette-admin's lists have inline, which our pages do not allow.
"use strict";

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-admin-columns]")) window.applyColumnVisibility();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-admin-go]")) window.location = event.target.value;
});
