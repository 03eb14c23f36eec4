// Live list of decisions. Values from an agent are set as text, never as markup.

const MOST = 200; // rows that a page keeps
const $ = (what, where = document) => where.querySelector(what);

function link(node, path, id, text) {
  node.href = `${path}?${new URLSearchParams({ id })}`;
  node.textContent = text;
}

// The middle is left out, as in the tables of the server.
function middle(text, cells) {
  return text.length <= cells ? text : `${text.slice(0, cells * 0.6)}…${text.slice(-cells * 0.4)}`;
}

function row(item) {
  const made = $("template[data-live-row]").content.firstElementChild.cloneNode(true);
  const at = (name) => $(`[data-f="${name}"]`, made);
  made.dataset.decision = item.id;
  const time = document.createElement("time");
  time.dateTime = time.title = item.at;
  time.textContent = "now";
  link(at("when"), "/decision", item.id, "");
  at("when").append(time);
  at("effect").textContent = item.effect;
  at("effect").classList.add(`e-${["allow", "ask", "deny"].includes(item.effect) ? item.effect : "error"}`);
  at("layer").textContent = item.layer;
  at("mode").textContent = item.mode === "enforce" ? "" : item.mode;
  link(at("agent"), "/agent", item.agent, middle(item.agent.replace(/^agent:/, ""), 28));
  at("agent").title = item.agent;
  for (const mark of made.querySelectorAll("[data-f=killed]")) mark.hidden = !item.killed;
  at("who").textContent = at("agent").textContent;
  at("target").textContent = item.target;
  at("name").textContent = middle(item.name || "without a name", 34);
  at("name").title = item.name;
  at("server").textContent = `at ${item.server}`;
  at("reason").textContent = item.reason;
  if (item.sentence) at("reason").after(document.createElement("br"));
  at("sentence").textContent = item.sentence;
  const plain = item.effect === "allow" && !item.sentence; // nothing to explain
  at("why").textContent = plain ? "" : [item.reason, item.sentence].filter(Boolean).join(": ");
  if (item.person) link(at("person"), "/person", item.person, item.person.replace(/^person:/, ""));
  at("outcome").textContent = item.outcome;
  if (item.ask) link(at("answer"), "/ask", item.id, "answer");
  return made;
}

function listen(part) {
  const says = $("[data-live-says]", part);
  const pause = $("[data-live-pause]", part);
  const rows = $("[data-live-rows]");
  const waiting = [];
  let paused = false;

  const put = (item) => {
    if ($(`[data-decision="${CSS.escape(item.id)}"]`, rows)) return;
    rows.prepend(row(item));
    while (rows.children.length > MOST) rows.lastElementChild.remove();
  };
  const tell = () => {
    says.textContent = paused ? `${waiting.length} waiting` : "live";
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "resume" : "pause";
    if (!paused) for (const item of waiting.splice(0)) put(item);
    tell();
  });

  const source = new EventSource(part.dataset.live);
  source.addEventListener("open", tell);
  source.addEventListener("error", () => {
    says.textContent = source.readyState === EventSource.CLOSED ? "not live: refresh" : "connecting …";
  });
  source.addEventListener("decision", (event) => {
    const item = JSON.parse(event.data);
    if (!paused) put(item);
    else if (waiting.push(item) > MOST) waiting.shift();
    if (paused) tell();
  });
  // More came than is told here, or the place in the stream is not known any more.
  source.addEventListener("gap", () => {
    says.textContent = "live; some are left out: refresh";
  });
  addEventListener("pagehide", () => source.close());
}

for (const part of document.querySelectorAll("[data-live]")) listen(part);
