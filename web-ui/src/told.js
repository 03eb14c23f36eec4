// What htmx is told before it starts. It reads this once, when it is loaded, so this
// module is imported before it.
const meta = document.createElement("meta");
meta.name = "htmx-config";
meta.content = JSON.stringify({
  // The content security policy lets no script add a style sheet of its own.
  includeIndicatorCSS: false,
  mode: "same-origin",
  defaultTimeout: 20000,
});
document.head.append(meta);
