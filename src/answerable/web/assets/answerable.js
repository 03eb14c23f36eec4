// Keys, copying, the theme, times. Every page works without this.

const $ = (what, where = document) => where.querySelector(what);
const $$ = (what, where = document) => [...where.querySelectorAll(what)];

// A word said for a moment, where screen readers hear it. Other scripts say theirs by
// the event `say`.
let silence;
function say(words) {
  const toast = $("#toast");
  if (!toast) return;
  toast.textContent = words;
  toast.classList.add("on");
  clearTimeout(silence);
  silence = setTimeout(() => toast.classList.remove("on"), 2000);
}
document.addEventListener("say", (event) => say(String(event.detail)));

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say("this browser does not let a page copy");
  }
}

// Theme.
function dark() {
  const kept = document.documentElement.dataset.theme;
  return kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // It holds for this page then.
  }
}

// Recent searches, in this browser only.
const RECENT = "recent-searches";
const MAX_RECENT = 10;

function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}

function keepRecent(texts) {
  try {
    localStorage.setItem(RECENT, JSON.stringify(texts));
  } catch {
    // Storage may be refused: there are no recent searches then.
  }
}

function rememberSearch() {
  const text = new URLSearchParams(location.search).get("q")?.trim();
  if (!text || text.length > 500 || !["/search", "/trace"].includes(location.pathname)) return;
  keepRecent([text, ...recent().filter((each) => each !== text)].slice(0, MAX_RECENT));
}

function showRecent(part) {
  const list = $("ul", part);
  for (const text of recent()) {
    const link = document.createElement("a");
    link.href = `/search?q=${encodeURIComponent(text)}`;
    link.textContent = text;
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  part.hidden = !list.children.length;
  $("[data-forget-recent]", part).addEventListener("click", () => {
    keepRecent([]);
    part.hidden = true;
  });
}

rememberSearch();
$$("[data-recent]").forEach(showRecent);

// Rows.
const rows = () =>
  $$("main tbody tr, main [data-row]").filter((row) => row.getClientRects().length && $("a[href]", row));
let current;

function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
  const row = all[Math.min(Math.max(next, 0), all.length - 1)];
  current?.classList.remove("current");
  current = row;
  row.classList.add("current");
  // Enter opens the link that has the focus; nothing more is needed for that.
  $("a[href]", row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

const JUMPS = {
  o: "/",
  a: "/agents",
  i: "/identities",
  c: "/credentials",
  t: "/trace",
  r: "/reach",
  d: "/decisions",
  e: "/evidence",
};
let jumping = false;

function permalink() {
  const named = $("#main [data-permalink]")?.dataset.permalink;
  return new URL(named ?? location.href, location.href).href;
}

const ACTS = {
  "/": () => ($("#main [data-query]") ?? $("#query") ?? $("#main input[type=search]"))?.select(),
  j: () => move(1),
  k: () => move(-1),
  y: () => copy(permalink(), "link"),
  "?": () => $("#keys")?.showModal(),
  g: () => {
    jumping = true;
    setTimeout(() => (jumping = false), 1500);
  },
  "[": () => $("a[rel=prev]")?.click(),
  "]": () => $("a[rel=next]")?.click(),
};

function typing(target) {
  return target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if ($("dialog[open]")) return;
  if (jumping && JUMPS[event.key]) {
    jumping = false;
    $(`nav a[href="${JUMPS[event.key]}"]`)?.click();
    return;
  }
  if (!Object.hasOwn(ACTS, event.key)) return;
  event.preventDefault();
  ACTS[event.key]();
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("button");
  if (!button) return;
  if (button.id === "theme") switchTheme();
  if (button.dataset.copy !== undefined) copy(button.dataset.copy, "text");
});

// A filter applies when it is chosen; its button is for those without script.
document.addEventListener("change", (event) => {
  const form = event.target instanceof HTMLSelectElement && event.target.closest("form[data-at-once]");
  if (form) form.requestSubmit();
});

// Fields that are empty are left out of the address.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) {
    if (field.name && field.value === "") field.disabled = true;
  }
});

// A form whose session ended is sent with the session that another tab began since.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.again === undefined || form.elements.csrf.value) return;
  event.preventDefault();
  try {
    const page = new DOMParser().parseFromString(await (await fetch("/cases")).text(), "text/html");
    form.elements.csrf.value = $("input[name=csrf]", page)?.value ?? "";
  } catch {
    // The server says what to do then.
  }
  form.submit();
});
addEventListener("pageshow", () => {
  for (const field of $$("form[method=get] [name]:disabled")) field.disabled = false;
});

// Times, in the words of the server.
const STEPS = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [48 * 3600, 3600, "h"],
  [60 * 86400, 86400, "d"],
  [730 * 86400, 30 * 86400, "months"],
];

function span(seconds) {
  const step = STEPS.find(([below]) => seconds < below);
  return step ? `${Math.floor(seconds / step[1])} ${step[2]}` : `${Math.floor(seconds / (365 * 86400))} years`;
}

function ago(text) {
  const at = Date.parse(text);
  if (Number.isNaN(at)) return text;
  const seconds = Math.floor(Date.now() / 1000) - Math.floor(at / 1000);
  if (seconds < 0) return `in ${span(-seconds)}`;
  return seconds < 60 ? "now" : `${span(seconds)} ago`;
}

function age() {
  for (const time of $$("time[datetime]:not([data-fixed])")) {
    const words = ago(time.dateTime);
    if (time.textContent !== words) time.textContent = words;
  }
}
setInterval(age, 30_000);
document.addEventListener("visibilitychange", () => document.hidden || age());
