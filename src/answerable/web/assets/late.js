// Loads what is big once it is looked at: an element names a module in `data-late`, and
// its style sheet in `data-sheet`. After any failure the page stays as the server rendered it.

function sheet(address) {
  if (!address || document.querySelector(`link[href="${CSS.escape(address)}"]`)) return null;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  const loaded = new Promise((done) => {
    link.addEventListener("load", done);
    link.addEventListener("error", done);
  });
  link.href = address;
  document.head.append(link);
  return loaded;
}

async function load(element) {
  if (element.dataset.state) return;
  element.dataset.state = "loading";
  try {
    const [module] = await Promise.all([import(element.dataset.late), sheet(element.dataset.sheet)]);
    element.dataset.state = (await module.default(element)) ? "drawn" : "empty";
  } catch {
    element.dataset.state = "failed";
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    load(target);
  }
});

function watch(root) {
  for (const element of root.querySelectorAll("[data-late]:not([data-late=''])")) {
    element.hidden = false;
    if (!element.dataset.state) seen.observe(element);
  }
}

watch(document);
// What htmx brings in later is watched too.
document.addEventListener("htmx:after:swap", () => watch(document));
