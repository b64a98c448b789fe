// What pointer, wheel and keyboard do on a timeline.

import { rowHeight, uOf } from "./timeline-draw.js";
import { move, zoomRows, zoomTime } from "./timeline-sight.js";

/** @typedef {import("./timeline.js").RunTimeline} RunTimeline */

/** @param {RunTimeline} t */
export function listen(t) {
  const board = t.board;
  const place = (/** @type {MouseEvent} */ e) => { const box = board.getBoundingClientRect(); return { x: e.clientX - box.left, y: e.clientY - box.top }; };
  /** @type {{x: number, y: number, view: import("./timeline-draw.js").View}|undefined} */ let grabbed;

  board.addEventListener("pointerdown", (e) => {
    if (e.button > 1) return;
    const { x, y } = place(e);
    if (x < t.frame.left) return;
    if (e.button === 1 || e.shiftKey) grabbed = { x, y, view: t.view };
    else t.brush = { x0: x, y0: y, x, y };
    if (e.button === 1) e.preventDefault();
  });
  board.addEventListener("pointermove", (e) => {
    const { x, y } = place(e), f = t.frame;
    t.pointer = x;
    if (grabbed !== undefined) {
      if (!board.hasPointerCapture(e.pointerId)) board.setPointerCapture(e.pointerId);
      const v = grabbed.view;
      t.look(move(v, ((grabbed.x - x) / (f.w - f.left)) * (v.u1 - v.u0), (grabbed.y - y) / rowHeight(f, v)));
      return;
    }
    if (t.brush !== undefined) {
      if (!board.hasPointerCapture(e.pointerId) && Math.abs(x - t.brush.x0) > 4) board.setPointerCapture(e.pointerId);
      Object.assign(t.brush, { x: Math.min(Math.max(x, f.left), f.w), y: Math.min(Math.max(y, f.top), f.h) });
    }
    t.under = t.brush !== undefined && board.hasPointerCapture(e.pointerId) ? -1 : t.find(x, y);
    board.classList.toggle("hit", t.under >= 0);
    t.tell(t.under, x, y);
    t.cross();
  });
  board.addEventListener("pointerup", (e) => {
    const { x, y } = place(e), b = t.brush, f = t.frame, v = t.view;
    t.brush = undefined;
    if (grabbed !== undefined) { grabbed = undefined; return; }
    if (b === undefined) return;
    if (Math.abs(b.x - b.x0) < 5) { t.open(t.find(x, y)); t.cross(); return; }
    const u0 = uOf(f, v, Math.min(b.x0, b.x)), u1 = uOf(f, v, Math.max(b.x0, b.x));
    const row = (/** @type {number} */ py) => v.r0 + (Math.max(py, f.top) - f.top) / rowHeight(f, v);
    const both = Math.abs(b.y - b.y0) > 24 && b.y0 > f.top; // else only time
    t.look({ u0, u1, r0: both ? row(Math.min(b.y0, b.y)) : v.r0, r1: both ? row(Math.max(b.y0, b.y)) : v.r1 });
  });
  board.addEventListener("pointerleave", () => {
    t.pointer = -1;
    t.under = -1;
    t.tell(-1, 0, 0);
    t.cross();
  });
  board.addEventListener("pointercancel", () => { t.brush = undefined; grabbed = undefined; });
  board.addEventListener("dblclick", () => t.look());
  board.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey && document.activeElement !== board) return; // the page scrolls
    e.preventDefault();
    const { x, y } = place(e), f = t.frame, v = t.view, by = e.deltaY || e.deltaX;
    if (e.shiftKey) { t.look(move(v, (by / (f.w - f.left)) * (v.u1 - v.u0), 0)); return; }
    const factor = Math.exp(-by * (e.deltaMode === 1 ? 0.05 : 0.0016));
    if (e.altKey || x < f.left) t.look(zoomRows(v, v.r0 + (y - f.top) / rowHeight(f, v), factor));
    else t.look(zoomTime(v, uOf(f, v, x), factor));
  }, { passive: false });
  board.addEventListener("keydown", (e) => key(t, e));
  board.addEventListener("blur", () => { t.at = -1; t.cross(); });
}

/** @param {RunTimeline} t @param {KeyboardEvent} e */
function key(t, e) {
  const m = t.model;
  if (m === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
  const v = t.view, middle = (v.u0 + v.u1) / 2, { layout } = m, row = t.at < 0 ? -1 : layout.row[t.at];
  const onRow = (/** @type {number} */ r, /** @type {number} */ u) => {
    let best = -1;
    for (let k = layout.at[r]; k < layout.at[r + 1]; k++) if (best < 0 || Math.abs(m.spread.begin[layout.bars[k]] - u) < Math.abs(m.spread.begin[best] - u)) best = layout.bars[k];
    return best;
  };
  const step = (/** @type {number} */ by) => {
    if (t.at < 0) { t.go(layout.bars[0] ?? -1); return; }
    for (let r = row + by; r >= 0 && r < layout.rows; r += by) { const i = onRow(r, m.spread.begin[t.at]); if (i >= 0) { t.go(i); return; } }
  };
  const along = (/** @type {number} */ by) => {
    if (!layout.packed) { t.look(move(v, by * (v.u1 - v.u0) * 0.1, 0)); return; }
    if (t.at < 0) { step(1); return; }
    const k = layout.bars.indexOf(t.at) + by;
    if (k >= layout.at[row] && k < layout.at[row + 1]) t.go(layout.bars[k]);
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    "+": () => t.look(zoomTime(v, middle, 1.6)), "=": () => t.look(zoomTime(v, middle, 1.6)), "-": () => t.look(zoomTime(v, middle, 1 / 1.6)), 0: () => t.look(),
    ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => along(-1), ArrowRight: () => along(1),
    PageDown: () => t.look(move(v, 0, v.r1 - v.r0)), PageUp: () => t.look(move(v, 0, v.r0 - v.r1)),
    Home: () => t.go(layout.bars[0] ?? -1), End: () => t.go(layout.bars[layout.bars.length - 1] ?? -1), Enter: () => t.open(t.at),
    Escape: () => t.look(),
  };
  const act = keys[e.key];
  if (act === undefined) return;
  e.preventDefault();
  act();
}
