// <run-graph src="…/graph">: the graph of a run, which the server lays out. One looks
// closer, opens groups, follows what comes before and after; states change in place.

import { Island, h, icon, openTask, toggle } from "./island.js";
import { Picture, describe, folds, way } from "./graph-draw.js";
import { chained, lit, neighbour } from "./ways.js";
import { count, span } from "./units.js";
import { Overview } from "./graph-overview.js";
import * as sight from "./view.js";

/** @typedef {import("../js/api").Drawing} Drawing */
/** @typedef {import("../js/api").Box} Box */

const params = () => new URL(location.href).searchParams;

class RunGraph extends Island {
  /** @type {Drawing|undefined} */ drawing;
  #picture = new Picture();
  #stage = h("div", { class: "stage" });
  #told = h("p", { class: "unseen", "aria-live": "polite" });
  #summary = h("span", { class: "isle-sum" });
  #overview = new Overview((x, y) => this.#look({ ...this.#view, x: x - this.#window().w / this.#view.k / 2, y: y - this.#window().h / this.#view.k / 2 }));
  /** @type {sight.View} */ #view = { x: 0, y: 0, k: 1 };
  #touched = false; // somebody has chosen what to see
  /** @type {Set<string>} */ #open = new Set(params().getAll("open"));
  #problems = params().get("problems") === "true";
  #critical = false;
  #at = ""; // where the keyboard is

  async load() {
    const url = this.url({ open: [...this.#open], problems: this.#problems });
    const answer = await this.ask(url);
    if (answer === undefined) return;
    const d = /** @type {Drawing} */ (await answer.json());
    const first = this.drawing === undefined;
    this.drawing = d;
    if (first) this.#build();
    this.#picture.draw(d);
    this.#picture.root.setAttribute("aria-label", `Graph of ${d.name}: ${count(d.nodes.length)} nodes. Arrow keys move, Enter opens.`);
    if (!d.nodes.some((n) => n.id === this.#at)) this.#at = d.nodes[0]?.id ?? "";
    this.#picture.element(this.#at)?.setAttribute("tabindex", "0");
    this.#write();
    this.#resize();
    this.#look(this.#touched ? this.#view : sight.first(this.#size(), this.#window()));
    this.#follow();
  }

  recolour() { this.#overview.draw(this, this.drawing, this.#view, this.#window()); }

  #build() {
    const tools = h("div", { class: "isle-tools", role: "toolbar", "aria-label": "Graph" },
      toggle("Problems only", "Leave out what has completed (f)", this.#problems, (on) => { this.#problems = on; this.#again(); }),
      toggle("Critical path", "Show the chain that takes longest", this.#critical, (on) => { this.#critical = on; this.#follow(); }),
      this.#summary,
      h("span", { class: "group" },
        h("button", { type: "button", class: "button", title: "Smaller (−)", "aria-label": "Smaller", onclick: () => this.#zoom(1 / 1.3) }, "−"),
        h("button", { type: "button", class: "button", title: "Larger (+)", "aria-label": "Larger", onclick: () => this.#zoom(1.3) }, "+"),
        h("button", { type: "button", class: "button", title: "All of it (0)", onclick: () => this.#fit() }, "Fit"),
        h("button", { type: "button", class: "button", title: "Full screen", "aria-label": "Full screen", onclick: () => void (document.fullscreenElement ? document.exitFullscreen() : this.requestFullscreen()) }, icon("M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"))));
    this.#stage.append(this.#picture.root, this.#overview.canvas, this.#told);
    this.dataset.drawn = "";
    this.replaceChildren(tools, this.#stage);
    this.#listen();
    new ResizeObserver(() => { this.#resize(); this.#look(this.#touched ? this.#view : sight.first(this.#size(), this.#window())); }).observe(this.#stage);
  }

  #write() {
    const d = this.drawing;
    if (d === undefined) return;
    const hidden = d.hidden ? `${count(d.hidden)} completed left out` : "";
    const path = this.#critical && d.critical_ms ? `the longest chain takes ${span(d.critical_ms)}` : "";
    this.#summary.textContent = [path, hidden].filter(Boolean).join(" · ");
  }

  #again() {
    const url = new URL(location.href);
    url.searchParams.delete("open");
    for (const id of this.#open) url.searchParams.append("open", id);
    if (this.#problems) url.searchParams.set("problems", "true");
    else url.searchParams.delete("problems");
    history.replaceState(history.state, "", url);
    this.load().catch((err) => this.fail(err));
  }

  /** Shows the critical path, or not. */
  #follow() {
    const d = this.drawing, chain = this.#critical ? d?.critical ?? [] : [];
    const edges = d === undefined ? [] : chained(d.edges, chain);
    this.#picture.mark("critical", new Set(chain), new Set(edges.map(way)));
    this.#write();
  }

  /** Lights what comes before and after a node; nothing if there is none. @param {string|undefined} id */
  #light(id) {
    const d = this.drawing;
    if (d === undefined) return;
    const found = id === undefined ? undefined : lit(d.nodes, d.edges, id);
    this.#picture.dim(found !== undefined);
    this.#picture.mark("lit", found, found && new Set(d.edges.filter((e) => found.has(e.from) && found.has(e.to)).map(way)));
  }

  /** @param {Box} n @param {boolean} fold */
  #act(n, fold) {
    const run = n.task_run?.split("/")[1];
    if (run !== undefined && !fold) { openTask(run); return; }
    if (!folds(n)) return;
    // Opened by id; what was opened by name is closed by it too.
    if (n.open) { this.#open.delete(n.id); this.#open.delete(n.name); }
    else this.#open.add(n.id);
    this.#again();
  }

  #size() { return { w: Math.max(this.drawing?.width ?? 1, 1), h: Math.max(this.drawing?.height ?? 1, 1) }; }
  #window() { return { w: Math.max(this.#stage.clientWidth, 100), h: Math.max(this.#stage.clientHeight, 100) }; }

  /** As high as the picture, within bounds. */
  #resize() {
    if (document.fullscreenElement === this) { this.#stage.style.height = ""; return; }
    const { w, h: height } = this.#size();
    const k = Math.max(0.6, Math.min(1, this.#window().w / w));
    this.#stage.style.height = `${Math.round(Math.max(200, Math.min(height * k + 24, innerHeight * 0.68)))}px`;
  }

  /** @param {sight.View} v */
  #look(v) {
    this.#view = sight.clamp(v, this.#size(), this.#window());
    this.#picture.look(this.#view);
    this.#overview.draw(this, this.drawing, this.#view, this.#window());
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  #zoom(factor, x = this.#window().w / 2, y = this.#window().h / 2) {
    this.#touched = true;
    this.#look(sight.zoom(this.#view, x, y, factor));
  }

  #fit() {
    this.#touched = false;
    this.#look(sight.fit(this.#size(), this.#window()));
  }

  /** @param {EventTarget|null} target */
  #hit(target) {
    const g = target instanceof Element ? target.closest("[data-id]") : null;
    const id = g?.getAttribute("data-id");
    return this.drawing?.nodes.find((n) => n.id === id);
  }

  #listen() {
    const svg = this.#picture.root;
    /** @type {{x: number, y: number, moved: boolean}|undefined} */ let drag;
    svg.addEventListener("pointerdown", (e) => { if (e.button === 0) drag = { x: e.clientX, y: e.clientY, moved: false }; });
    svg.addEventListener("pointermove", (e) => {
      if (drag === undefined) { const n = this.#hit(e.target); this.#light(n !== undefined && !n.open ? n.id : undefined); return; }
      const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) < 4) return;
      if (!drag.moved) svg.setPointerCapture(e.pointerId); // no sooner: a click would lose its target
      drag = { x: e.clientX, y: e.clientY, moved: true };
      this.#touched = true;
      this.#look(sight.pan(this.#view, dx, dy));
    });
    svg.addEventListener("pointerleave", () => this.#light(undefined));
    svg.addEventListener("pointercancel", () => { drag = undefined; });
    svg.addEventListener("pointerup", (e) => {
      const n = this.#hit(e.target);
      if (drag?.moved === false && n !== undefined) {
        this.#focus(n);
        this.#act(n, e.target instanceof Element && e.target.closest("[data-fold]") !== null);
      }
      drag = undefined;
    });
    svg.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey && !svg.contains(document.activeElement)) return; // the page scrolls
      e.preventDefault();
      const box = svg.getBoundingClientRect();
      this.#zoom(Math.exp(-e.deltaY * (e.deltaMode === 1 ? 0.05 : 0.0016)), e.clientX - box.left, e.clientY - box.top);
    }, { passive: false });
    svg.addEventListener("focusin", (e) => { const n = this.#hit(e.target); if (n !== undefined) this.#light(n.open ? undefined : n.id); });
    svg.addEventListener("focusout", () => this.#light(undefined));
    this.addEventListener("keydown", (e) => this.#key(e));
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement) return;
    const at = this.drawing?.nodes.find((n) => n.id === this.#at);
    /** @type {Record<string, () => void>} */
    const keys = {
      "+": () => this.#zoom(1.3), "=": () => this.#zoom(1.3), "-": () => this.#zoom(1 / 1.3), 0: () => this.#fit(),
      Enter: () => at && this.#act(at, false), " ": () => at && this.#act(at, false), e: () => at && this.#act(at, true),
    };
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
      keys[key] = () => { const to = at && neighbour(this.drawing?.nodes ?? [], at, key); if (to) this.#focus(to); };
    }
    const act = keys[e.key];
    if (act === undefined) return;
    e.preventDefault();
    act();
  }

  /** @param {Box} n */
  #focus(n) {
    this.#picture.element(this.#at)?.setAttribute("tabindex", "-1");
    this.#at = n.id;
    const element = this.#picture.element(n.id);
    element?.setAttribute("tabindex", "0");
    element?.focus({ preventScroll: true });
    this.#told.textContent = describe(n);
    const seen = sight.show(this.#view, this.#window(), n.open ? { ...n, h: 40 } : n);
    if (seen.x !== this.#view.x || seen.y !== this.#view.y) { this.#touched = true; this.#look(seen); }
  }
}

customElements.define("run-graph", RunGraph);
