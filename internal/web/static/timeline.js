// <run-timeline src="…/timeline">: when each task run of a run waited and ran, a hundred
// thousand of them if need be.

import { Columns, rank, rankOf } from "./columns.js";
import { Island, choice, h, icon, keep, keepStretch, kept, openTask, stretch, toggle } from "./island.js";
import { layout, spread } from "./lanes.js";
import { straight, withoutIdle } from "./warp.js";
import { overlaps } from "./bins.js";
import { glyph, urgency, waiting } from "./looks.js";
import { count, span, tickText } from "./units.js";
import { Painter, palette, rowHeight, uOf, xOf } from "./timeline-draw.js";
import { bounds, hit, reveal, whole, within, zoomTime } from "./timeline-sight.js";
import { listen } from "./timeline-input.js";

/** @typedef {import("./timeline-draw.js").Model} Model */
/** @typedef {import("./timeline-draw.js").View} View */

const tall = 24; // the most a row is high

export class RunTimeline extends Island {
  columns = new Columns();
  /** @type {Model|undefined} */ model;
  /** @type {View} */ view = { u0: 0, u1: 1, r0: 0, r1: 1 };
  frame = { w: 1, h: 1, left: 150, axis: 24, area: 58, top: 82 };
  free = false; // somebody has chosen what to see
  at = -1; // the bar that the keyboard is at
  under = -1; // and the pointer
  /** @type {{x0: number, y0: number, x: number, y: number}|undefined} */ brush;
  pointer = -1;
  canvas = h("canvas", {});
  over = h("canvas", { class: "over" });
  board = h("div", { class: "board", tabindex: "0", role: "group", "aria-roledescription": "timeline" }, this.canvas, this.over);
  #tip = h("div", { class: "isle-tip", hidden: true });
  #told = h("p", { class: "unseen", "aria-live": "polite" });
  #legend = h("p", { class: "isle-key" });
  #painter = new Painter();
  /** @type {import("./timeline-draw.js").Palette|undefined} */ #palette;
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #keeping;
  #lanes = /** @type {import("./lanes.js").Lanes} */ (kept("lanes") || "task");
  #sort = /** @type {import("./lanes.js").Sort} */ (kept("order") || "start");
  #aligned = false;
  #dense = false;
  #problems = false;

  async load() {
    const news = this.columns.news(), delta = news.since !== undefined;
    const answer = await this.ask(this.url(news));
    if (answer === undefined) return;
    const l = /** @type {import("../js/api").Timeline} */ (await answer.json());
    if (!this.columns.put(l, delta, performance.now())) { this.soon(); return; }
    const first = this.model === undefined;
    if (first) this.#build();
    this.arrange();
    const seen = first ? stretch() : undefined, m = this.model;
    if (seen !== undefined && m !== undefined) this.look({ ...this.view, u0: m.warp.to(seen[0]), u1: m.warp.to(seen[1]) });
  }

  recolour() { this.#palette = undefined; this.paint(); }

  /** The time on the server. */
  now() {
    const c = this.columns;
    return c.ended ? c.now : c.now + performance.now() - c.read;
  }

  /** Gives each task run its row anew. */
  arrange() {
    const c = this.columns, now = this.now(), warp = this.#dense && !this.#aligned ? withoutIdle(c, now) : straight;
    const ranks = new Uint8Array(c.n), byState = c.states.map(rankOf);
    for (let i = 0; i < c.n; i++) ranks[i] = byState[c.state[i]] === rank.scheduled && Number.isNaN(c.start[i]) ? rank.waiting : byState[c.state[i]];
    this.model = {
      c, warp, ranks, now, aligned: this.#aligned, layout: layout(c, this.#lanes, this.#sort, this.#problems, now), spread: spread(c, this.#aligned, warp, now),
      running: overlaps(c.n, (i) => (Number.isNaN(c.start[i]) ? undefined : [this.#aligned ? 0 : c.start[i], ended(c, i, this.#aligned)])),
      waiting: overlaps(this.#aligned ? 0 : c.n, (i) => waited(c, i)),
    };
    this.board.setAttribute("aria-label", `Timeline of ${count(c.n)} task runs. Arrow keys move, Enter opens, plus and minus zoom.`);
    this.#count();
    this.resize();
  }

  /** As large as it may be, and drawn. */
  resize() {
    const m = this.model;
    if (m === undefined) return;
    const w = Math.max(this.board.clientWidth, 200), full = document.fullscreenElement === this;
    const left = w < 560 ? 96 : 150, area = this.#aligned ? 0 : 58, top = 24 + area;
    const high = full ? this.board.clientHeight : top + Math.max(Math.min(m.layout.rows * tall, innerHeight * 0.62), 48);
    this.frame = { w, h: Math.round(high), left, axis: 24, area, top };
    if (!full) this.board.style.height = `${this.frame.h}px`;
    const dpr = devicePixelRatio || 1;
    for (const c of [this.canvas, this.over]) {
      if (c.width !== Math.round(w * dpr) || c.height !== Math.round(this.frame.h * dpr)) Object.assign(c, { width: Math.round(w * dpr), height: Math.round(this.frame.h * dpr) });
    }
    this.look(this.free ? this.view : undefined);
  }

  /** Shows a part; nothing for all. @param {View} [v] */
  look(v) {
    const m = this.model;
    if (m === undefined) return;
    this.free = v !== undefined;
    this.view = v === undefined ? whole(m.spread.end, m.layout.rows) : within(v, m.spread.end, m.layout.rows);
    this.paint();
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keep(), 200); // browsers take only so many changes of the URL
  }

  /** Has the stretch that is seen in the URL, which the log goes by. */
  #keep() {
    const m = this.model, { u0, u1 } = this.view;
    if (m === undefined || m.aligned || !this.isConnected) return; // aligned, there are no times
    keepStretch(this.free && (u0 > 0 || u1 < m.spread.end) ? [m.warp.back(u0), m.warp.back(u1)] : undefined);
  }

  /** Draws with the next frame. */
  paint() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.draw(); });
  }

  draw() {
    const m = this.model, pen = this.canvas.getContext("2d");
    if (m === undefined || pen === null) return;
    this.#palette ??= palette(this);
    this.#painter.draw(pen, devicePixelRatio || 1, this.frame, this.view, m, this.#palette);
    this.cross();
  }

  /** Draws what moves with the pointer. */
  cross() {
    const m = this.model, pen = this.over.getContext("2d"), p = this.#palette, f = this.frame, v = this.view;
    if (m === undefined || pen === null || p === undefined) return;
    const dpr = devicePixelRatio || 1;
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.clearRect(0, 0, f.w, f.h);
    for (const i of new Set([this.under, this.at])) {
      if (i < 0 || m.layout.row[i] < 0) continue;
      const high = rowHeight(f, v), x0 = Math.max(xOf(f, v, m.layout.packed ? m.spread.begin[i] : m.spread.from[i]), f.left), x1 = Math.min(Math.max(xOf(f, v, m.spread.to[i]), x0 + 3), f.w);
      if (x1 < f.left || x0 > f.w) continue;
      pen.strokeStyle = i === this.at ? this.colour("link") : p.text;
      pen.lineWidth = i === this.at ? 2 : 1.25;
      const y = f.top + (m.layout.row[i] - v.r0) * high, h1 = Math.max(high, 5);
      pen.strokeRect(x0 - 1, y + (high - h1) / 2, x1 - x0 + 2, h1);
    }
    if (this.brush !== undefined) {
      const { x0, y0, x, y } = this.brush, rows = Math.abs(y - y0) > 24;
      pen.fillStyle = this.colour("link");
      pen.globalAlpha = 0.16;
      pen.fillRect(Math.min(x0, x), rows ? Math.min(y0, y) : f.axis, Math.abs(x - x0), rows ? Math.abs(y - y0) : f.h - f.axis);
      pen.globalAlpha = 1;
    }
    if (this.pointer < f.left) return;
    pen.fillStyle = p.soft;
    pen.fillRect(Math.round(this.pointer), f.axis, 1, f.h - f.axis);
    const u = uOf(f, v, this.pointer), text = tickText(Math.max(m.aligned ? u : m.warp.back(u), 0), (v.u1 - v.u0) / 400);
    pen.font = `11px ${p.font}`;
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    const wide = pen.measureText(text).width + 12, x = Math.min(Math.max(this.pointer, f.left + wide / 2), f.w - wide / 2);
    pen.fillStyle = p.text;
    pen.beginPath();
    pen.roundRect(x - wide / 2, 3, wide, 18, 4);
    pen.fill();
    pen.fillStyle = p.page;
    pen.fillText(text, x, 12.5);
  }

  /** The bar at a place of the board. @param {number} x @param {number} y */
  find(x, y) {
    const m = this.model, f = this.frame, v = this.view;
    if (m === undefined || x < f.left || y < f.top) return -1;
    const r = v.r0 + (y - f.top) / rowHeight(f, v), more = rowHeight(f, v) < 1 ? 1 / rowHeight(f, v) : 0;
    return hit(m, uOf(f, v, x), (3 / (f.w - f.left)) * (v.u1 - v.u0), Math.floor(r), Math.floor(r + more));
  }

  /** Says what a bar is, where the pointer is. @param {number} i @param {number} x @param {number} y */
  tell(i, x, y) {
    this.#tip.hidden = i < 0;
    if (i < 0) return;
    const [title, ...rest] = this.describe(i);
    this.#tip.replaceChildren(h("p", {}, h("b", {}, title)), ...rest.map((t, k) => h("p", { class: k > 0 ? "soft" : undefined }, t)));
    const w = this.#tip.offsetWidth, high = this.#tip.offsetHeight;
    this.#tip.style.left = `${x + 16 + w > this.frame.w ? x - w - 12 : x + 16}px`;
    this.#tip.style.top = `${Math.max(y + 18 + high > this.frame.h ? y - high - 12 : y + 18, 0)}px`;
  }

  /** Moves the keyboard to a bar. @param {number} i */
  go(i) {
    const m = this.model;
    if (m === undefined || i < 0) return;
    this.at = i;
    const v = reveal(this.view, m, i);
    if (this.free || v.r0 !== this.view.r0 || v.u0 !== this.view.u0) this.look(v);
    this.cross();
    this.#told.textContent = this.describe(i).join(", ");
  }

  /** Opens a task run. @param {number} i */
  open(i) { if (i >= 0) openTask(this.columns.seq[i]); }

  /** What is known of a task run. @param {number} i */
  describe(i) {
    const c = this.columns, now = this.now(), state = c.states[c.state[i]], from = c.since(i, now), start = c.start[i];
    const lines = [`${c.names[c.name[i]]} #${c.seq[i]}`, `${glyph(state)} ${state}${c.attempt[i] > 1 ? `, attempt ${c.attempt[i]}` : ""}`];
    if (!Number.isNaN(start)) lines.push(`${Number.isNaN(c.end[i]) ? "running for" : "ran"} ${span(c.until(i, now) - start)}, from ${tickText(start, start < 1000 ? 0.001 : 1)}`);
    if (c.workers[c.worker[i]]) lines.push(`on ${c.workers[c.worker[i]]}`);
    if (!Number.isNaN(start) && start > from) lines.push(`waited ${span(start - from)} before`);
    if (Number.isNaN(start) && Number.isNaN(c.end[i])) lines.push(`${waiting(c.kinds[c.waits[i]]) || "waits"} for ${span(now - from)}`.replace(/^(waits for .*) for /, "$1, for "));
    else if (waiting(c.kinds[c.waits[i]])) lines.push(waiting(c.kinds[c.waits[i]]));
    return lines;
  }

  #count() {
    const c = this.columns, counts = [...c.counts()].sort((a, b) => urgency(a[0]) - urgency(b[0]));
    this.#legend.replaceChildren(...counts.map(([state, n]) => h("span", { class: `s-${state}` }, h("i", { "aria-hidden": "true" }, glyph(state)), ` ${count(n)} ${state}`)),
      h("span", { class: "s-pending waiting" }, h("i", { "aria-hidden": "true" }, "▬"), " waited"),
      ...bounds(c.limits, this.model?.running.most ?? 0).lines.map((l) => h("span", {}, h("i", { "aria-hidden": "true" }, "╌╌"), ` ${l.text}`)), ...(c.more ? [h("span", {}, `the first ${count(c.n)}; there are more`)] : []));
  }

  #build() {
    const change = (/** @type {() => void} */ set) => { set(); this.free = false; this.arrange(); };
    const sort = choice("Order", [["start", "by start"], ["duration", "longest first"], ["name", "by name"]], this.#sort,
      (v) => change(() => { this.#sort = /** @type {any} */ (v); keep("order", v === "start" ? "" : v); }));
    sort.hidden = this.#lanes !== "task";
    const zoom = (/** @type {number} */ by) => this.look(zoomTime(this.view, (this.view.u0 + this.view.u1) / 2, by));
    const tools = h("div", { class: "isle-tools", role: "toolbar", "aria-label": "Timeline" },
      choice("Rows", [["task", "one each"], ["name", "by task name"], ["worker", "by worker"], ["place", "as few as it takes"]], this.#lanes,
        (v) => change(() => { this.#lanes = /** @type {any} */ (v); sort.hidden = v !== "task"; keep("lanes", v === "task" ? "" : v); })),
      sort,
      toggle("Align", "Let all begin at the left, to compare how long they took", false, (on) => change(() => { this.#aligned = on; })),
      toggle("Skip idle", "Cut out where nothing ran", false, (on) => change(() => { this.#dense = on; })),
      toggle("Problems only", "Leave out what has completed", false, (on) => change(() => { this.#problems = on; })),
      h("span", { class: "group" },
        h("button", { type: "button", class: "button", title: "Further (−)", "aria-label": "Further", onclick: () => zoom(1 / 1.6) }, "−"),
        h("button", { type: "button", class: "button", title: "Closer (+)", "aria-label": "Closer", onclick: () => zoom(1.6) }, "+"),
        h("button", { type: "button", class: "button", title: "All of it (0)", onclick: () => this.look() }, "Fit"),
        h("button", { type: "button", class: "button", title: "Full screen", "aria-label": "Full screen", onclick: () => void (document.fullscreenElement ? document.exitFullscreen() : this.requestFullscreen()) }, icon("M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"))));
    const twin = h("details", { class: "twin" }, h("summary", {}, "As a table"), ...this.childNodes);
    this.board.append(this.#tip);
    this.dataset.drawn = "";
    this.replaceChildren(tools, this.#legend, this.board, this.#told, twin);
    listen(this);
    new ResizeObserver(() => this.resize()).observe(this.board);
    setInterval(() => { // now moves
      const m = this.model;
      if (m === undefined || this.columns.ended || document.hidden || !this.isConnected) return;
      m.now = this.now();
      m.spread = spread(this.columns, m.aligned, m.warp, m.now);
      this.look(this.free ? this.view : undefined);
    }, 250);
  }
}

/** @param {Columns} c @param {number} i @param {boolean} aligned */
const ended = (c, i, aligned) => (Number.isNaN(c.end[i]) ? (c.ended ? c.start[i] : Infinity) : c.end[i]) - (aligned ? c.start[i] : 0);

/** When it waited before its body began. @param {Columns} c @param {number} i @returns {[number, number]|undefined} */
function waited(c, i) {
  const from = c.created[i], to = Number.isNaN(c.start[i]) ? c.end[i] : c.start[i];
  if (Number.isNaN(from) || to <= from) return undefined;
  return Number.isNaN(to) ? (c.ended ? undefined : [from, Infinity]) : [from, to];
}

customElements.define("run-timeline", RunTimeline);
