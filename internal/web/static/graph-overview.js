// A small picture of a whole graph, with a frame around what is seen of it.

import { h } from "./island.js";
import { colourOf } from "./looks.js";

/** @typedef {import("../js/api").Drawing} Drawing */

const most = { w: 168, h: 110 };

export class Overview {
  canvas = h("canvas", { class: "overview", "aria-hidden": "true", hidden: true });
  #k = 1;

  /** @param {(x: number, y: number) => void} go shows another place, given its middle */
  constructor(go) {
    const c = this.canvas;
    const to = (/** @type {PointerEvent} */ e) => { const box = c.getBoundingClientRect(); go((e.clientX - box.left) / this.#k, (e.clientY - box.top) / this.#k); };
    c.addEventListener("pointerdown", (e) => { c.setPointerCapture(e.pointerId); to(e); });
    c.addEventListener("pointermove", (e) => { if (c.hasPointerCapture(e.pointerId)) to(e); });
  }

  /** @param {import("./island.js").Island} island @param {Drawing|undefined} d
   * @param {import("./view.js").View} v @param {{w: number, h: number}} window */
  draw(island, d, v, window) {
    const ww = window.w / v.k, wh = window.h / v.k;
    this.canvas.hidden = d === undefined || (ww >= d.width && wh >= d.height);
    if (d === undefined || this.canvas.hidden) return;
    const k = this.#k = Math.min(most.w / d.width, most.h / d.height), dpr = devicePixelRatio || 1;
    const w = Math.max(Math.round(d.width * k), 40), height = Math.max(Math.round(d.height * k), 16);
    Object.assign(this.canvas, { width: w * dpr, height: height * dpr });
    Object.assign(this.canvas.style, { width: `${w}px`, height: `${height}px` });
    const pen = this.canvas.getContext("2d");
    if (pen === null) return;
    pen.scale(dpr * k, dpr * k);
    /** @type {Map<string, string>} */ const colours = new Map();
    for (const n of d.nodes) {
      const name = colourOf(n.state);
      const colour = colours.get(name) ?? island.colour(name);
      colours.set(name, colour);
      pen.globalAlpha = n.open ? 0.12 : 0.75;
      pen.fillStyle = colour;
      pen.fillRect(n.x, n.y, n.w, n.h);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = island.colour("text");
    pen.lineWidth = 1.5 / k;
    pen.strokeRect(v.x, v.y, ww, wh);
  }
}
