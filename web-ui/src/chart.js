// Counts over time, of a document `times`: each item is a span of time with counts by
// outcome ({at, allow, deny, ...}; `at` in seconds). The page has the same as a picture;
// here one reads each value, and drags over a span to see what was done in it.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

function inks(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim() || style.color;
  return { ink: read("--muted"), line: read("--line"), accent: read("--accent") };
}

function options(element, names, ink) {
  const axis = { stroke: ink.ink, grid: { stroke: ink.line, width: 1 }, ticks: { stroke: ink.line } };
  return {
    width: element.clientWidth,
    height: 180,
    axes: [axis, { ...axis, size: 44 }],
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    series: [
      {},
      ...names.map((name, number) => ({
        label: name,
        stroke: number ? ink.ink : ink.accent,
        width: 1.5,
        // Told apart by their strokes too, not by colour alone.
        dash: DASHES[number % DASHES.length],
        paths: uPlot.paths.stepped({ align: 1 }),
        points: { show: false },
      })),
    ],
    cursor: { drag: { x: true, y: false, setScale: false } },
  };
}

export default async function draw(element) {
  const answer = await fetch(element.dataset.from, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`no counts (got ${answer.status}, expected 200)`);
  const { items } = await answer.json();
  if (!items.length) return null;
  const names = Object.keys(items[0]).filter((name) => name !== "at");
  const data = [items.map(({ at }) => at), ...names.map((name) => items.map((item) => item[name]))];
  let chart;
  const make = () => {
    chart?.destroy();
    chart = new uPlot(options(element, names, inks(element)), data, element);
    chart.over.addEventListener("dblclick", () => chart.setData(data));
  };
  make();
  new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: 180 })).observe(element);
  new MutationObserver(make).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return chart;
}
