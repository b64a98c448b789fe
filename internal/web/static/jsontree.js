// <json-tree><pre>…</pre></json-tree>: JSON that folds, can be searched and copied. What
// is no JSON stays as it is.

import { h, toggle } from "./island.js";
import { has, path, read, write } from "./json-read.js";
import { count } from "./units.js";

/** @typedef {import("./json-read.js").Value} Value */

const long = 2048, many = 100; // characters, and entries, that are shown at once

class JSONTree extends HTMLElement {
  #text = "";

  connectedCallback() {
    this.dataset.morph = "keep";
    if (this.#text !== "") return;
    const pre = this.querySelector("pre");
    if (pre === null) return;
    this.#text = pre.textContent ?? "";
    /** @type {Value} */ let value;
    try { value = read(this.#text); } catch { return; } // cut, or no JSON
    if (value.kind === "plain" || value.kind === "string") return;
    const tree = h("div", { class: "tree card" }), find = h("input", { type: "search", placeholder: "Search", "aria-label": "Search in it" });
    const draw = () => tree.replaceChildren(node(value, [], undefined, find.value.trim().toLowerCase(), 0));
    find.addEventListener("input", draw);
    draw();
    pre.hidden = true;
    this.prepend(h("div", { class: "tree-tools" }, find,
      h("button", { type: "button", class: "button", onclick: () => { for (const d of tree.querySelectorAll("details")) d.open = true; } }, "Open all"),
      toggle("Raw", "As it was written", false, (on) => { pre.hidden = !on; tree.hidden = on; }),
      h("button", { type: "button", class: "button", onclick: (/** @type {Event} */ e) => copied(e, this.#text) }, "Copy")), tree);
  }
}

/** @param {Value} v @param {(string|number)[]} way @param {string|number|undefined} key @param {string} what @param {number} depth @returns {HTMLElement} */
function node(v, way, key, what, depth) {
  const name = key === undefined ? "" : h("button", { type: "button", class: "k", title: `Copy ${path(way)}`, onclick: (/** @type {Event} */ e) => { e.preventDefault(); copied(e, path(way)); } }, String(key));
  if (v.kind === "string" || v.kind === "plain") return h("div", { class: "leaf" }, name, leaf(v, what));
  const kids = v.kind === "object" ? v.entries : v.items.map((item, i) => /** @type {[number, Value]} */ ([i, item]));
  const sum = v.kind === "object" ? `{ ${count(kids.length)} }` : `[ ${count(kids.length)} ]`;
  if (kids.length === 0) return h("div", { class: "leaf" }, name, h("span", { class: "soft" }, v.kind === "object" ? "{ }" : "[ ]"));
  const body = h("div", { class: "kids" });
  const open = what !== "" ? has(v, what) : depth < 2 && kids.length <= 50;
  const fill = (/** @type {number} */ from) => {
    for (const [k, e] of kids.slice(from, from + many)) body.append(node(e, [...way, k], k, what, depth + 1));
    if (kids.length > from + many) {
      const more = h("button", { type: "button", class: "button", onclick: () => { more.remove(); fill(from + many); } }, `${count(kids.length - from - many)} more`);
      body.append(more);
    }
  };
  // The buttons stand beside the summary: one control within another can't be reached.
  const label = key === undefined ? "" : h("span", { class: "k" }, String(key));
  const d = h("details", { open }, h("summary", {}, label, h("span", { class: "soft" }, sum)), body);
  if (open) fill(0);
  else d.addEventListener("toggle", () => { if (body.childElementCount === 0) fill(0); });
  return h("div", { class: "branch" }, d, h("span", { class: "acts" },
    key === undefined ? "" : h("button", { type: "button", class: "c", title: `Copy ${path(way)}`, onclick: (/** @type {Event} */ e) => copied(e, path(way)) }, "path"),
    h("button", { type: "button", class: "c", title: "Copy the value", onclick: (/** @type {Event} */ e) => copied(e, write(v)) }, "copy")));
}

/** @param {Value & {text: string}} v @param {string} what */
function leaf(v, what) {
  const found = what !== "" && v.text.toLowerCase().includes(what), text = v.kind === "string" ? JSON.stringify(v.text) : v.text;
  const of = h("span", { class: `v ${v.kind === "string" ? "string" : /[\d-]/.test(v.text[0]) ? "number" : "word"}${found ? " found" : ""}` }, text.slice(0, long));
  if (text.length <= long) return of;
  const more = h("button", { type: "button", class: "button", onclick: () => { of.textContent = text; } }, `${count(text.length - long)} more characters`);
  of.append("… ", more);
  return of;
}

/** @param {Event} e @param {string} text */
async function copied(e, text) {
  const b = e.currentTarget;
  try { await navigator.clipboard.writeText(text); } catch { // not over plain http
    const area = h("textarea", {}, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  if (b instanceof HTMLElement) { b.classList.add("copied"); setTimeout(() => b.classList.remove("copied"), 1200); }
}

customElements.define("json-tree", JSONTree);
