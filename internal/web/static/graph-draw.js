// Draws a graph that the server has laid out. What has not changed since it was drawn
// last is not touched, so that a graph can be looked at while its run goes on.

import { h, s } from "./island.js";
import { glyph } from "./looks.js";
import { count, span } from "./units.js";

/** @typedef {import("../js/api").Drawing} Drawing */
/** @typedef {import("../js/api").Box} Box */
/** @typedef {import("../js/api").Line} Line */

const pen = h("canvas").getContext("2d");

/** A text cut to a width. @param {string} text @param {number} width @param {number} size of the letters */
function cut(text, width, size) {
  if (pen === null) return text;
  pen.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  if (pen.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

/** Whether a node can be shown with what stands in it, or is. @param {Box} n */
export const folds = (n) => n.open === true || (n.kind !== "bucket" && total(n) > 1);

/** @param {Box} n */
const total = (n) => (n.counts ?? []).reduce((sum, c) => sum + c.n, 0);

/** What is written on a node: its name, and below it a detail. @param {Box} n */
function written(n) {
  if (n.kind === "conditional" && !n.open) return ["", ""];
  return [cut(n.label, n.w - 30 - (folds(n) ? 24 : 8), 13), n.detail && !n.open ? cut(n.detail, n.w - 38, 11) : ""];
}

/** What is said of a node: what is written on it first, as it stands there. @param {Box} n */
export function describe(n) {
  const here = written(n).filter(Boolean).join(" ") || n.label;
  const parts = [`${n.kind === "task" ? "" : `${n.kind} `}${here} ${n.state}`];
  if ((n.counts ?? []).length > 1) for (const c of n.counts ?? []) parts.push(`${count(c.n)} ${c.state}`);
  if (n.ran_ms) parts.push(`ran ${span(n.ran_ms)}`);
  if (n.waited_ms) parts.push(`waited ${span(n.waited_ms)}`);
  if (n.usual_ms) parts.push(`usually ${span(n.usual_ms)}`);
  return parts.join(", ") + (n.note ? `: ${n.note}` : "");
}

/** The way of an edge: lines within columns, curves between them. @param {number[]} p */
export function path(p) {
  let d = "";
  for (let i = 0; i + 1 < p.length; i += 2) {
    const x = p[i], y = p[i + 1], bx = p[i - 2], by = p[i - 1], half = (bx + x) / 2;
    d += i === 0 ? `M${x} ${y}` : y === by || x === bx ? `L${x} ${y}` : `C${half} ${by} ${half} ${y} ${x} ${y}`;
  }
  return d;
}

/** @param {string} className @param {number} x @param {number} y @param {string} what */
const text = (className, x, y, what) => s("text", { class: className, x, y, "aria-hidden": "true" }, `${what} `); // the node says it; the space keeps words apart for who reads them in a row

/** @param {Box} n */
function node(n) {
  const { x, y, w, h: height } = n;
  const g = s("g", {
    class: `node ${n.kind} ${n.state}${n.open ? " open" : ""}`, "data-id": n.id, role: "button", tabindex: "-1", "aria-label": describe(n),
    "aria-expanded": folds(n) ? String(n.open === true) : undefined,
  }, s("title", {}, describe(n)));
  if (n.kind === "conditional" && !n.open) {
    g.append(s("path", { class: "box", d: `M${x + w / 2} ${y}L${x + w} ${y + height / 2}L${x + w / 2} ${y + height}L${x} ${y + height / 2}z` }),
      text("glyph middle", x + w / 2, y + height / 2 + 5, glyph(n.state)));
    return g;
  }
  const [name, detail] = written(n);
  g.append(s("rect", { class: "box", x, y, width: w, height, rx: n.open ? 10 : 7 }));
  if (n.kind === "finally") g.append(s("rect", { class: "inner", x: x + 3, y: y + 3, width: w - 6, height: height - 6, rx: 5 }));
  g.append(text("glyph middle", x + 17, y + 23, glyph(n.state)), text("name", x + 30, y + 23, name));
  if (detail) g.append(text("detail", x + 30, y + 39, detail));
  if (folds(n)) {
    g.append(s("g", { class: "fold", "data-fold": "" }, s("rect", { x: x + w - 24, y: y + 9, width: 18, height: 18, rx: 4 }),
      s("path", { d: n.open ? `M${x + w - 19} ${y + 18}h8` : `M${x + w - 19} ${y + 18}h8M${x + w - 15} ${y + 14}v8` })));
  }
  if (!n.open) g.append(...bar(n));
  return g;
}

/** How many stand in which state. A part that is there is seen, however small. @param {Box} n */
function bar(n) {
  const counts = n.counts ?? [], sum = total(n), least = 3;
  if (sum < 2) return [];
  const room = n.w - 24 - least * counts.length;
  let at = n.x + 12;
  return counts.map((c) => {
    const width = least + (room * c.n) / sum;
    const part = s("rect", { class: `part ${c.state}`, x: at, y: n.y + n.h - 13, width: Math.max(width - 1, 2), height: 5, rx: 1.5 });
    at += width;
    return part;
  });
}

/** A picture of a graph. */
export class Picture {
  #under = s("g", {});
  #edges = s("g", {});
  #over = s("g", {});
  #camera = s("g", {}, this.#under, this.#edges, this.#over);
  root = s("svg", { class: "graph live", role: "group" }, arrows(), this.#camera);
  /** @type {Map<string, {element: SVGGElement, was: string, open: boolean}>} */ #nodes = new Map();
  /** @type {Map<string, {element: SVGPathElement, was: string}>} */ #ways = new Map();

  /** @param {Drawing} d */
  draw(d) {
    const nodes = new Set(), edges = new Set();
    for (const n of d.nodes) {
      nodes.add(n.id);
      const was = JSON.stringify(n), old = this.#nodes.get(n.id), layer = n.open ? this.#under : this.#over;
      if (old?.was === was) continue;
      const element = node(n);
      if (old !== undefined) {
        for (const name of ["lit", "dim", "critical"]) element.classList.toggle(name, old.element.classList.contains(name));
        const focused = old.element === document.activeElement;
        element.setAttribute("tabindex", old.element.getAttribute("tabindex") ?? "-1");
        if (old.open === (n.open === true)) old.element.replaceWith(element);
        else { old.element.remove(); layer.append(element); }
        if (focused) element.focus({ preventScroll: true });
      } else layer.append(element);
      this.#nodes.set(n.id, { element, was, open: n.open === true });
    }
    for (const [id, { element }] of this.#nodes) if (!nodes.has(id)) { element.remove(); this.#nodes.delete(id); }
    const handlers = new Set(d.nodes.filter((n) => n.kind === "exceptionally").map((n) => n.id));
    for (const e of d.edges) {
      const key = way(e), was = e.points.join(" "), old = this.#ways.get(key);
      edges.add(key);
      if (old?.was === was) continue;
      const className = `edge${handlers.has(e.to) ? " exceptionally" : ""}${e.repeat ? " repeat" : ""}`;
      const element = s("path", { class: className, d: path(e.points), "marker-end": "url(#way-end)" });
      if (old !== undefined) old.element.replaceWith(element);
      else this.#edges.append(element);
      this.#ways.set(key, { element, was });
    }
    for (const [key, { element }] of this.#ways) if (!edges.has(key)) { element.remove(); this.#ways.delete(key); }
  }

  /** Marks nodes and edges with a class, and no others.
   * @param {string} name @param {Set<string>|undefined} nodes @param {Set<string>} [edges] as way() names them */
  mark(name, nodes, edges) {
    for (const [id, { element }] of this.#nodes) element.classList.toggle(name, nodes?.has(id) === true);
    for (const [key, { element }] of this.#ways) element.classList.toggle(name, edges?.has(key) === true);
  }

  /** Dims all that is not lit. @param {boolean} on */
  dim(on) { this.root.classList.toggle("dimmed", on); }

  /** @param {import("./view.js").View} v */
  look(v) {
    this.#camera.setAttribute("transform", `scale(${v.k}) translate(${-v.x} ${-v.y})`);
    this.root.classList.toggle("far", v.k < 0.75); // small letters can't be read
    this.root.classList.toggle("farther", v.k < 0.45);
  }

  /** @param {string} id */
  element(id) { return this.#nodes.get(id)?.element; }
}

/** @param {{from: string, to: string}} e */
export const way = (e) => `${e.from}\n${e.to}`;

function arrows() {
  return s("defs", {}, s("marker", { id: "way-end", class: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0L8 4L0 8z" })));
}
