// A graph that can be moved and zoomed, of a document `graph`: its items are nodes
// ({id, label, kind, verdict, href}) and steps ({from, to, label, open}). The same is on
// the page as a list and as a picture; this one is for looking around.
import cytoscape from "cytoscape";
import dagre from "../node_modules/cytoscape-dagre/src/index.mjs";

dagre(cytoscape);

// Cytoscape adds a style sheet of one rule unless an element has this id. The content
// security policy forbids that sheet; answerable.css has the rule.
const SHEET = "__________cytoscape_stylesheet";

function claimSheet() {
  if (document.getElementById(SHEET)) return;
  const meta = document.createElement("meta");
  meta.id = SHEET;
  document.head.append(meta);
}

function inks(element) {
  const style = getComputedStyle(element);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  return {
    ink: read("--text", style.color),
    quiet: read("--muted", style.color),
    line: read("--line", style.color),
    ground: read("--ground", "transparent"),
    accent: read("--accent", style.color),
  };
}

const FONT = "system-ui, sans-serif";
const pen = document.createElement("canvas").getContext("2d");

// A node is as wide as its label; Cytoscape's own way to say that is on its way out.
function measured(label) {
  pen.font = `12px ${FONT}`;
  return Math.ceil(pen.measureText(label).width);
}

function looks({ ink, quiet, line, ground, accent }) {
  return [
    {
      selector: "node",
      style: {
        label: "data(label)",
        shape: "round-rectangle",
        width: (node) => measured(node.data("label")) + 14,
        height: 22,
        "background-color": ground,
        "border-width": 1,
        "border-color": line,
        color: ink,
        "font-family": FONT,
        "font-size": 12,
        "text-valign": "center",
        "text-halign": "center",
      },
    },
    { selector: "node[kind = 'subject']", style: { "border-width": 2, "border-color": accent } },
    { selector: "node[kind = 'group']", style: { shape: "rectangle", "border-style": "double", "border-width": 3 } },
    { selector: "node[kind = 'resource']", style: { shape: "rectangle" } },
    { selector: "node[verdict = 'only-if']", style: { "border-style": "dashed" } },
    {
      selector: "edge",
      style: {
        label: "data(label)",
        width: 1.5,
        "curve-style": "bezier",
        "line-color": quiet,
        "target-arrow-color": quiet,
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.8,
        color: quiet,
        "font-family": FONT,
        "font-size": 10,
        "text-background-color": ground,
        "text-background-opacity": 1,
        "text-background-padding": "2px",
        "text-wrap": "wrap",
        "text-max-width": "160px",
      },
    },
    { selector: "edge[?open]", style: { "line-style": "dashed" } },
    { selector: "node:selected", style: { "border-color": accent, "border-width": 3 } },
  ];
}

function elements(items) {
  return items.map((item) =>
    "from" in item
      ? { data: { source: item.from, target: item.to, label: item.label, open: item.open } }
      : { data: item },
  );
}

export default async function draw(element) {
  const answer = await fetch(element.dataset.from, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`no graph (got ${answer.status}, expected 200)`);
  const { items } = await answer.json();
  claimSheet();
  const graph = cytoscape({
    container: element,
    elements: elements(items),
    style: looks(inks(element)),
    layout: { name: "dagre", rankDir: "LR", nodeSep: 16, rankSep: 150, fit: true, padding: 12 },
    minZoom: 0.1,
    maxZoom: 3,
    // A page that is scrolled must not be caught by a graph under the pointer.
    userZoomingEnabled: false,
    autoungrabify: true,
  });
  if (graph.zoom() > 1) {
    graph.zoom(1);
    graph.center();
  }
  graph.on("dbltap", "node", ({ target }) => {
    const href = target.data("href");
    if (href) location.assign(href);
  });
  const zoom = (by) =>
    graph.zoom({
      level: graph.zoom() * by,
      renderedPosition: { x: graph.width() / 2, y: graph.height() / 2 },
    });
  element.addEventListener("keydown", (event) => {
    const act = {
      "+": () => zoom(1.25),
      "-": () => zoom(0.8),
      0: () => graph.fit(undefined, 12),
      ArrowLeft: () => graph.panBy({ x: 60, y: 0 }),
      ArrowRight: () => graph.panBy({ x: -60, y: 0 }),
      ArrowUp: () => graph.panBy({ x: 0, y: 60 }),
      ArrowDown: () => graph.panBy({ x: 0, y: -60 }),
    }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  });
  const again = () => graph.style(looks(inks(element)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  return graph;
}
