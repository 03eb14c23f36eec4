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

const iso = (at) => new Date(at * 1000).toISOString();

// UTC, as everywhere on these pages; the day stands where one begins.
function ticks(_, splits, __, ___, step) {
  return splits.map((at, number) => {
    const day = iso(at).slice(5, 10);
    if (step >= 86400) return day;
    const clock = iso(at).slice(11, 16);
    return number && clock !== "00:00" ? clock : `${clock}\n${day}`;
  });
}

function options(element, names, ink) {
  const axis = { stroke: ink.ink, grid: { stroke: ink.line, width: 1 }, ticks: { stroke: ink.line } };
  return {
    width: element.clientWidth,
    height: 180,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    axes: [{ ...axis, values: ticks }, { ...axis, size: 44 }],
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    series: [
      { label: "from", value: (_, at) => (at == null ? "" : `${iso(at).slice(0, 19)}Z`) },
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

// What was dragged over is asked about: whole spans, as the counts are.
function ask(element, drawn, width) {
  const { left, width: wide } = drawn.select;
  if (wide < 3) return;
  const at = (x) => drawn.posToVal(x, "x");
  const since = Math.floor(at(left) / width) * width;
  const until = Math.ceil(at(left + wide) / width) * width;
  const to = new URL(element.dataset.to, location.href);
  to.searchParams.set("since", Math.max(0, since));
  to.searchParams.set("until", until);
  location.assign(to);
}

export default async function draw(element) {
  const answer = await fetch(element.dataset.from, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`no counts (got ${answer.status}, expected 200)`);
  const { items } = await answer.json();
  if (!items.length) return null;
  const names = Object.keys(items[0]).filter((name) => name !== "at");
  const width = items.length > 1 ? items[1].at - items[0].at : 1;
  // A span is drawn to where the next begins, so the last one needs an end.
  const last = items.at(-1);
  const ended = [...items, { ...last, at: last.at + width }];
  const data = ["at", ...names].map((name) => ended.map((item) => item[name]));
  let chart;
  const make = () => {
    chart?.destroy();
    chart = new uPlot(
      {
        ...options(element, names, inks(element)),
        hooks: { setSelect: [(drawn) => ask(element, drawn, width)] },
      },
      data,
      element,
    );
  };
  make();
  new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: 180 })).observe(element);
  new MutationObserver(make).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return chart;
}
