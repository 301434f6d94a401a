// Keeps the mail list fresh without moving what the reader holds: only the list is replaced, and not while hidden.
const rows = document.querySelector("[data-refresh]");
if (rows) {
  setInterval(async () => {
    if (document.hidden || rows.contains(document.activeElement)) return;
    try {
      const answer = await fetch(rows.dataset.refresh);
      if (answer.ok) rows.innerHTML = await answer.text();
    } catch {
      // The sandbox is restarting; the next round will find it.
    }
  }, 2000);
}
