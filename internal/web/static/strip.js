// Runs over time: one drags over a stretch of it to see only those.

const chart = /** @type {HTMLElement|null} */ (document.querySelector(".strip .chart"));

/** A time as filters have it, to the minute. @param {number} ms */
const minute = (ms) => new Date(ms).toISOString().slice(0, 16);

/** The runs created between two places of the chart, whole bars of it.
 * @param {DOMStringMap} of @param {number} a @param {number} b shares of its width, the less first @returns {[string, string]} */
export function between(of, a, b) {
  const from = Date.parse(of.from ?? ""), step = Number(of.step) * 60_000, n = Number(of.bars);
  const first = Math.max(Math.min(Math.floor(a * n), n - 1), 0), last = Math.max(Math.min(Math.floor(b * n), n - 1), first);
  return [minute(from + first * step), minute(from + (last + 1) * step - 60_000)];
}

if (chart !== null) {
  const mark = document.createElement("div");
  mark.className = "stretch";
  mark.hidden = true;
  document.body.append(mark);
  let begun = -1;
  const svg = () => /** @type {SVGElement} */ (chart.querySelector("svg"));
  chart.addEventListener("pointerdown", (e) => { if (e.button === 0 && e.pointerType !== "touch") begun = e.clientX; });
  chart.addEventListener("dragstart", (e) => e.preventDefault()); // the bars are links
  chart.addEventListener("pointermove", (e) => {
    if (begun < 0 || Math.abs(e.clientX - begun) < 6) return;
    if (!chart.hasPointerCapture(e.pointerId)) chart.setPointerCapture(e.pointerId);
    const box = svg().getBoundingClientRect(), a = Math.max(Math.min(begun, e.clientX), box.left), b = Math.min(Math.max(begun, e.clientX), box.right);
    Object.assign(mark.style, { left: `${a}px`, top: `${box.top}px`, width: `${b - a}px`, height: `${box.height}px` });
    mark.hidden = false;
  });
  chart.addEventListener("pointerup", (e) => {
    const from = begun, box = svg().getBoundingClientRect();
    begun = -1;
    if (mark.hidden) return;
    mark.hidden = true;
    const share = (/** @type {number} */ x) => (x - box.left) / box.width;
    const [a, b] = between(chart.dataset, share(Math.min(from, e.clientX)), share(Math.max(from, e.clientX)));
    const url = new URL(location.href), q = (url.searchParams.get("q") ?? "").replace(/(^| )created:\S+/g, "").trim();
    url.searchParams.delete("cursor");
    url.searchParams.set("q", `${q} created:${a}..${b}`.trim());
    location.assign(url);
  });
  for (const end of ["pointercancel", "keydown"]) addEventListener(end, () => { begun = -1; mark.hidden = true; });
}
