// Runs before the page is drawn, so that it is not drawn in the other theme first.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {
    // Storage may be refused; the system's theme stands then.
  }
})();
