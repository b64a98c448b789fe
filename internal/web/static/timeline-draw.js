// Draws a timeline on a canvas: an axis, how many ran and waited, and the bars. Few bars
// are drawn one by one, many as pixels.

import { Binner, profile } from "./bins.js";
import { rank } from "./columns.js";
import { colourOf } from "./looks.js";
import { bounds } from "./timeline-sight.js";
import { count, tickText, ticks } from "./units.js";

/** What is drawn. @typedef {{
 *   c: import("./columns.js").Columns, layout: import("./lanes.js").Layout, spread: import("./lanes.js").Spread, warp: import("./warp.js").Warp,
 *   ranks: Uint8Array, running: import("./bins.js").Steps, waiting: import("./bins.js").Steps, aligned: boolean, now: number }} Model */

/** What of it is seen: between two places of the axis, and two rows.
 * @typedef {{u0: number, u1: number, r0: number, r1: number}} View */

/** Where on the canvas what is, in pixels of the page. @typedef {{w: number, h: number, left: number, axis: number, area: number, top: number}} Frame */

/** @typedef {{colours: string[], pixels: Uint32Array, text: string, soft: string, line: string, page: string, side: string, running: string, pending: string, font: string}} Palette */

const ranks = Object.entries(rank);

/** @param {import("./island.js").Island} island @returns {Palette} */
export function palette(island) {
  const colours = ["transparent"], pixels = new Uint32Array(ranks.length + 1), page = rgb(island.colour("page")), pending = rgb(island.colour("pending"));
  for (const [name, k] of ranks) {
    const of = name === "waiting" ? blend(pending, page, 0.3) : rgb(island.colour(colourOf(name)));
    colours[k] = `rgb(${of.join(" ")})`;
    pixels[k] = (255 << 24) | (of[2] << 16) | (of[1] << 8) | of[0];
  }
  const c = (/** @type {string} */ name) => island.colour(name);
  return { colours, pixels, text: c("text"), soft: c("soft"), line: c("line"), page: c("page"), side: c("side"), running: c("running"), pending: c("pending"), font: c("sans") };
}

/** The parts of a colour. @param {string} text as in #0b57d0 @returns {number[]} */
function rgb(text) {
  const short = /^#(\w)(\w)(\w)$/.exec(text);
  const hex = short ? `#${short[1]}${short[1]}${short[2]}${short[2]}${short[3]}${short[3]}` : text;
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) || 0);
}

/** @param {number[]} a @param {number[]} b @param {number} share */
const blend = (a, b, share) => a.map((v, i) => Math.round(v * share + b[i] * (1 - share)));

/** @param {Frame} f @param {View} v */
export const rowHeight = (f, v) => (f.h - f.top) / Math.max(v.r1 - v.r0, 1e-9);

/** @param {Frame} f @param {View} v @param {number} u */
export const xOf = (f, v, u) => f.left + ((u - v.u0) / (v.u1 - v.u0)) * (f.w - f.left);

/** @param {Frame} f @param {View} v @param {number} x */
export const uOf = (f, v, x) => v.u0 + ((x - f.left) / (f.w - f.left)) * (v.u1 - v.u0);

const few = 4000; // bars that are drawn one by one
const readable = 11; // the height of a row with letters on it, and of the letters

export class Painter {
  #binner = new Binner();
  #pixels = new OffscreenCanvas(1, 1);

  /** @param {CanvasRenderingContext2D} pen @param {number} dpr @param {Frame} f @param {View} v @param {Model} m @param {Palette} p */
  draw(pen, dpr, f, v, m, p) {
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.clearRect(0, 0, f.w, f.h);
    pen.font = `${readable}px ${p.font}`;
    pen.textBaseline = "middle";
    this.#axis(pen, f, v, m, p);
    if (f.area > 0) this.#areas(pen, f, v, m, p);
    const first = Math.max(Math.floor(v.r0), 0), last = Math.min(Math.ceil(v.r1), m.layout.rows);
    const bars = m.layout.at[last] - m.layout.at[first];
    pen.save();
    pen.beginPath();
    pen.rect(f.left, f.top, f.w - f.left, f.h - f.top);
    pen.clip();
    if (rowHeight(f, v) >= 6 && bars <= few) this.#each(pen, f, v, m, p, first, last);
    else this.#cells(pen, dpr, f, v, m, p, first, last);
    this.#lines(pen, f, v, m, p);
    pen.restore();
    this.#names(pen, f, v, m, p, first, last);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p */
  #axis(pen, f, v, m, p) {
    const { step, at } = ticks(v.u0, v.u1, Math.max((f.w - f.left) / 110, 2));
    pen.fillStyle = p.soft;
    pen.strokeStyle = p.line;
    pen.lineWidth = 1;
    pen.textAlign = "center";
    pen.beginPath();
    for (const u of at) {
      const x = Math.round(xOf(f, v, u)) + 0.5, t = m.aligned ? u : m.warp.back(u);
      if (x < f.left) continue;
      pen.moveTo(x, f.axis - 5);
      pen.lineTo(x, f.h);
      const text = tickText(step < 1 ? t : Math.round(t), step), half = pen.measureText(text).width / 2;
      pen.fillText(text, Math.max(f.left + half, Math.min(x, f.w - half - 4)), f.axis / 2);
    }
    pen.stroke();
  }

  /** @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p */
  #areas(pen, f, v, m, p) {
    const w = Math.ceil(f.w - f.left), bottom = f.axis + f.area - 8, height = f.area - 16;
    const from = m.aligned ? v.u0 : m.warp.back(v.u0), to = m.aligned ? v.u1 : m.warp.back(v.u1);
    const limits = bounds(m.aligned ? [] : m.c.limits, m.running.most);
    /** @param {import("./bins.js").Steps} steps @param {string} colour @param {boolean} filled */
    const area = (steps, colour, filled) => {
      if (steps.most === 0) return;
      const top = filled ? limits.top : steps.most;
      const counts = straightened(m, v, w, steps, from, to);
      pen.beginPath();
      pen.moveTo(f.left, bottom);
      for (let x = 0; x < w; x++) {
        const y = bottom - (counts[x] / top) * height;
        pen.lineTo(f.left + x, y);
        pen.lineTo(f.left + x + 1, y);
      }
      pen.lineTo(f.w, bottom);
      pen.globalAlpha = filled ? 0.28 : 0.16;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = filled ? 1 : 0.6;
      pen.strokeStyle = colour;
      pen.lineWidth = 1.25;
      pen.stroke();
      pen.globalAlpha = 1;
    };
    area(m.waiting, p.pending, false);
    area(m.running, p.running, true);
    bound(pen, f, limits, bottom, height, p);
    pen.textAlign = "right";
    pen.fillStyle = p.running;
    pen.fillText(`running ≤ ${count(m.running.most)}`, f.left - 8, f.axis + 18);
    if (m.waiting.most > 0) {
      pen.fillStyle = p.soft;
      pen.fillText(`waiting ≤ ${count(m.waiting.most)}`, f.left - 8, f.axis + 35);
    }
    pen.strokeStyle = p.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, f.top - 0.5);
    pen.lineTo(f.w, f.top - 0.5);
    pen.stroke();
  }

  /** All bars as pixels. @param {CanvasRenderingContext2D} pen @param {number} dpr @param {Frame} f @param {View} v @param {Model} m
   * @param {Palette} p @param {number} first @param {number} last */
  #cells(pen, dpr, f, v, m, p, first, last) {
    const w = Math.max(1, Math.round((f.w - f.left) * dpr)), high = Math.max(1, Math.round((f.h - f.top) * dpr)), rows = v.r1 - v.r0;
    const h = Math.min(Math.ceil(rows), high), perRow = h / rows, perTime = w / (v.u1 - v.u0);
    const { from, begin, to } = m.spread, { at, bars, packed } = m.layout;
    const wide = high / h < 3 ? 1 : 0;
    const grid = this.#binner.paint(w, h, (paint) => {
      for (let r = first; r < last; r++) {
        const y = Math.floor((r - v.r0) * perRow);
        for (let k = at[r]; k < at[r + 1]; k++) {
          const i = bars[k], x0 = Math.floor((begin[i] - v.u0) * perTime), x1 = Math.floor((to[i] - v.u0) * perTime), strength = m.ranks[i];
          if (!packed && begin[i] > from[i]) paint(y, Math.floor((from[i] - v.u0) * perTime), x0, rank.waiting);
          if (strength < rank.crashed) { if (strength !== rank.waiting) paint(y, x0, x1, strength); continue; }
          for (let beside = -wide; beside <= wide; beside++) paint(y + beside, x0 - 1, x1 + 2, strength); // is seen, however short
        }
      }
    });
    if (this.#pixels.width !== w || this.#pixels.height !== h) this.#pixels = new OffscreenCanvas(w, h);
    const to2 = this.#pixels.getContext("2d");
    if (to2 === null) return;
    const image = to2.createImageData(w, h), out = new Uint32Array(image.data.buffer), { cells } = grid, { pixels } = p;
    for (let i = 0; i < cells.length; i++) out[i] = pixels[cells[i]];
    to2.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.#pixels, f.left, f.top, f.w - f.left, f.h - f.top);
    const high1 = rowHeight(f, v);
    if (high1 < 6) return;
    pen.fillStyle = p.page; // between rows that are large enough
    for (let r = first; r <= last; r++) pen.fillRect(f.left, f.top + (r - v.r0) * high1 - 0.75, f.w - f.left, 1.5);
  }

  /** Bar by bar. @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p
   * @param {number} first @param {number} last */
  #each(pen, f, v, m, p, first, last) {
    const high = rowHeight(f, v), gap = Math.min(high * 0.12, 3), { from, begin, to } = m.spread;
    for (let r = first; r < last; r++) {
      const y = f.top + (r - v.r0) * high + gap, h = high - 2 * gap;
      for (let k = m.layout.at[r]; k < m.layout.at[r + 1]; k++) {
        const i = m.layout.bars[k], x0 = xOf(f, v, from[i]), x1 = xOf(f, v, begin[i]), x2 = xOf(f, v, to[i]), strength = m.ranks[i];
        if (x2 < f.left || x0 > f.w) continue;
        const left = Math.max(x1, f.left - 8), right = Math.min(Math.max(x2, x1 + (strength >= rank.crashed ? 3 : 1.5)), f.w + 8);
        if (!m.layout.packed && x1 > x0) wait(pen, Math.max(x0, f.left), y, x1 - Math.max(x0, f.left), h, p, strength === rank.waiting);
        if (strength === rank.waiting && x2 <= x1) continue;
        pen.fillStyle = p.colours[strength];
        pen.beginPath();
        pen.roundRect(left, y, right - left, h, Math.min(3, h / 3, (right - left) / 2));
        pen.fill();
        if (m.c.turns.has(i)) this.#turns(pen, f, v, m, p, i, y, h);
        if (h >= readable && right - left > 60) label(pen, m, i, Math.max(left, f.left), right, y + h / 2 + 0.5, p);
      }
    }
  }

  /** Attempts: where the body did not run is light, where one began is a tick.
   * @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p @param {number} i @param {number} y @param {number} h */
  #turns(pen, f, v, m, p, i, y, h) {
    const turns = m.c.turns.get(i) ?? [], at = (/** @type {number} */ t) => xOf(f, v, m.aligned ? t - m.c.start[i] : m.warp.to(t));
    turns.forEach((turn, k) => {
      const x0 = at(turn.at), x1 = k + 1 < turns.length ? at(turns[k + 1].at) : xOf(f, v, m.spread.to[i]);
      if (turn.state === "running") {
        pen.fillStyle = p.page;
        pen.fillRect(x0 - 0.75, y, 1.5, h);
      } else {
        pen.fillStyle = p.page;
        pen.fillRect(x0, y, Math.max(x1 - x0, 1), h);
        wait(pen, x0, y, Math.max(x1 - x0, 1), h, p, false);
        pen.fillStyle = p.colours[rank.failed];
        pen.fillRect(x0 - 1, y, 2, h);
      }
    });
  }

  /** Where time was cut, and now. @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p */
  #lines(pen, f, v, m, p) {
    if (m.aligned) return;
    pen.lineWidth = 1;
    pen.setLineDash([2, 3]);
    pen.strokeStyle = p.soft;
    for (const u of m.warp.cuts()) {
      const x = xOf(f, v, u);
      pen.beginPath();
      pen.moveTo(x, f.top);
      pen.lineTo(x, f.h);
      pen.stroke();
    }
    pen.setLineDash([]);
    if (m.c.ended) return;
    pen.strokeStyle = p.running;
    const x = Math.round(xOf(f, v, m.warp.to(m.now))) + 0.5;
    pen.beginPath();
    pen.moveTo(x, f.top);
    pen.lineTo(x, f.h);
    pen.stroke();
  }

  /** @param {CanvasRenderingContext2D} pen @param {Frame} f @param {View} v @param {Model} m @param {Palette} p @param {number} first @param {number} last */
  #names(pen, f, v, m, p, first, last) {
    const high = rowHeight(f, v), { c, layout } = m;
    pen.save();
    pen.beginPath();
    pen.rect(0, f.top, f.left, f.h - f.top);
    pen.clip();
    pen.textAlign = "left";
    const write = (/** @type {string} */ name, /** @type {string} */ more, /** @type {number} */ y) => {
      const room = f.left - 18, tail = pen.measureText(more).width;
      pen.fillStyle = p.text;
      pen.fillText(fitted(pen, name, room - tail), 10, y);
      pen.fillStyle = p.soft;
      pen.textAlign = "right";
      pen.fillText(more, f.left - 8, y);
      pen.textAlign = "left";
    };
    for (const b of layout.bands) {
      const y0 = f.top + (b.first - v.r0) * high, y1 = y0 + b.rows * high;
      if (y1 < f.top || y0 > f.h) continue;
      pen.fillStyle = p.line;
      pen.fillRect(0, y0 - 0.5, f.left, 1);
      if (y1 - y0 >= readable || b.rows === 0) write(b.name, `×${count(b.n)}`, Math.min(Math.max((y0 + y1) / 2, f.top + 8), f.h - 8));
    }
    if (!layout.packed && high >= readable) {
      for (let r = first; r < last; r++) {
        const i = layout.bars[layout.at[r]];
        write(c.names[c.name[i]], `#${c.seq[i]}`, f.top + (r + 0.5 - v.r0) * high);
      }
    } else if (!layout.packed || layout.bands.length === 0) {
      pen.fillStyle = p.soft;
      pen.fillText(layout.packed ? `${count(layout.rows)} at once` : `${count(layout.rows)} task runs`, 10, f.top + 12);
    }
    pen.restore();
    pen.fillStyle = p.line;
    pen.fillRect(f.left - 1, 0, 1, f.h);
  }
}

/** @param {Model} m @param {View} v @param {number} w @param {import("./bins.js").Steps} steps @param {number} from @param {number} to */
function straightened(m, v, w, steps, from, to) {
  if (m.aligned || m.warp.times.length <= 2) return profile(steps, from, to, w);
  const at = steps.at.map((t) => m.warp.to(t)); // cut as the bars are
  return profile({ ...steps, at }, v.u0, v.u1, w);
}

/** Lines at the limits. @param {CanvasRenderingContext2D} pen @param {Frame} f @param {ReturnType<typeof bounds>} limits @param {number} bottom @param {number} height @param {Palette} p */
function bound(pen, f, limits, bottom, height, p) {
  let free = -Infinity; // where a text has room
  pen.lineWidth = 1;
  pen.textAlign = "right";
  for (const { at, text } of limits.lines) {
    const y = Math.round(bottom - (at / limits.top) * height) + 0.5;
    pen.setLineDash([5, 3]);
    pen.strokeStyle = p.text;
    pen.beginPath();
    pen.moveTo(f.left, y);
    pen.lineTo(f.w, y);
    pen.stroke();
    pen.setLineDash([]);
    if (y + 8 < free) continue;
    free = y + 20;
    const wide = pen.measureText(text).width + 8;
    pen.globalAlpha = 0.85;
    pen.fillStyle = p.page;
    pen.fillRect(f.w - wide, y + 2, wide, 13);
    pen.globalAlpha = 1;
    pen.fillStyle = p.text;
    pen.fillText(text, f.w - 4, y + 9);
  }
}

/** A wait: lighter and thinner than what runs; striped while it lasts.
 * @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} w @param {number} h @param {Palette} p @param {boolean} now */
function wait(pen, x, y, w, h, p, now) {
  pen.fillStyle = p.colours[rank.waiting];
  const thin = Math.max(h * 0.36, 2);
  pen.fillRect(x, y + (h - thin) / 2, w, thin);
  if (!now || h < 8) return;
  pen.strokeStyle = p.pending;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let at = x + 4; at < x + w; at += 7) { pen.moveTo(at - thin / 2, y + (h + thin) / 2); pen.lineTo(at + thin / 2, y + (h - thin) / 2); }
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {Model} m @param {number} i @param {number} left @param {number} right @param {number} y @param {Palette} p */
function label(pen, m, i, left, right, y, p) {
  if (!m.layout.packed) return; // its name is beside it
  pen.fillStyle = p.page;
  pen.textAlign = "left";
  pen.fillText(fitted(pen, `${m.c.names[m.c.name[i]]} #${m.c.seq[i]}`, right - left - 10), left + 5, y);
}

/** @param {CanvasRenderingContext2D} pen @param {string} text @param {number} width */
function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let n = text.length;
  while (n > 0 && pen.measureText(`${text.slice(0, n)}…`).width > width) n--;
  return n > 0 ? `${text.slice(0, n)}…` : "";
}
