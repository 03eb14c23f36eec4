// Says that the data has changed since the page was made. Only a page that is looked at
// listens, and only until it was told once. Without script, the page is as old as it says.

const MAX_CONNECTIONS = 3; // of ten minutes each: an open page keeps no session alive

function listen(part) {
  let source;
  let connections = 0;
  let told = false;

  const close = () => {
    source?.close();
    source = undefined;
  };
  const open = () => {
    if (told || source || document.hidden) return;
    source = new EventSource(part.dataset.updates);
    source.addEventListener("open", () => {
      connections += 1;
      if (connections > MAX_CONNECTIONS) close();
    });
    source.addEventListener("update", () => {
      told = true;
      close();
      const notice = part.querySelector("template").content.cloneNode(true);
      // The address may have changed with a filter since the page was made.
      notice.querySelector("[data-reload]").addEventListener("click", (event) => {
        event.preventDefault();
        location.reload();
      });
      part.append(notice);
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

for (const part of document.querySelectorAll("[data-updates]")) listen(part);
