// What the islands have in common. An island is an element that draws from the REST API
// what a page of HTML can't. What the page put into it stays until it has something to
// draw, and comes back if it can't.

/** A child of an element: text, an element, or nothing.
 * @typedef {Node|string|number|null|undefined|false} Child */

/** Makes an element. Properties that begin with "on" are listeners, true and false are
 * attributes that are there or not.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]} */
export function h(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  give(e, props);
  for (const c of children) if (c !== null && c !== undefined && c !== false) e.append(typeof c === "number" ? String(c) : c);
  return e;
}

/** Makes an element of a drawing.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node|string)} children
 * @returns {SVGElementTagNameMap[K]} */
export function s(tag, props = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  give(e, props);
  e.append(...children);
  return e;
}

/** @param {Element} e @param {Record<string, unknown>} props */
function give(e, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (typeof value === "boolean") e.toggleAttribute(name, value);
    else if (value !== undefined && value !== null) e.setAttribute(name, String(value));
  }
}

/** A sign for a button, on 16 by 16. @param {string} d its path */
export const icon = (d) => s("svg", { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d }));

/** A button that is on or off.
 * @param {string} text @param {string} title @param {boolean} on @param {(on: boolean) => void} change */
export function toggle(text, title, on, change) {
  const b = h("button", { type: "button", class: "button", title, "aria-pressed": String(on) }, text);
  b.addEventListener("click", () => {
    const now = b.getAttribute("aria-pressed") !== "true";
    b.setAttribute("aria-pressed", String(now));
    change(now);
  });
  return b;
}

/** A list to choose from.
 * @param {string} label @param {[string, string][]} options value and text of each
 * @param {string} value @param {(value: string) => void} change */
export function choice(label, options, value, change) {
  const list = h("select", {}, ...options.map(([v, text]) => h("option", { value: v, selected: v === value }, text)));
  list.addEventListener("change", () => change(list.value));
  return h("label", { class: "choose" }, h("span", {}, label), list);
}

/** Shows a task run as a panel on this page, as a link to it would. @param {number|string} seq */
export function openTask(seq) {
  const url = new URL(location.href);
  url.searchParams.set("task", String(seq));
  url.hash = "";
  const a = h("a", { href: url.href, hidden: true });
  document.body.append(a);
  a.click();
  a.remove();
}

/** Keeps a choice in the URL, which can be shared. @param {string} name @param {string} value "" for none */
export function keep(name, value) {
  const url = new URL(location.href);
  if (value === "") url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  history.replaceState(history.state, "", url);
}

/** @param {string} name */
export const kept = (name) => new URL(location.href).searchParams.get(name) ?? "";

/** The stretch of time that the timeline and the log of a run have in common: milliseconds
 * since it was created. @returns {[number, number]|undefined} */
export function stretch() {
  const found = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(kept("between"));
  return found === null || Number(found[1]) >= Number(found[2]) ? undefined : [Number(found[1]), Number(found[2])];
}

/** Keeps it in the URL, and in the links between the two. @param {[number, number]|undefined} to */
export function keepStretch(to) {
  keep("between", to === undefined ? "" : to.map((t) => Number(t.toFixed(3))).join("-"));
  for (const a of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".tabs a"))) {
    const url = new URL(a.href);
    if (!["timeline", "logs"].includes(url.searchParams.get("tab") ?? "")) continue;
    url.searchParams.delete("between");
    if (to !== undefined) url.searchParams.set("between", kept("between"));
    a.href = url.href;
  }
}

// The style sheet of the islands, beside this file.
const sheet = h("link", { rel: "stylesheet", href: new URL("islands.css", import.meta.url) });
const dressed = new Promise((done) => { sheet.addEventListener("load", done); sheet.addEventListener("error", done); });
if (document.querySelector('link[href$="/islands.css"]') === null) document.head.append(sheet);
else sheet.dispatchEvent(new Event("load"));

const calm = 500; // between two looks at the least, in milliseconds

/** The base of all islands: it loads when it is there, and again when something changed. */
export class Island extends HTMLElement {
  /** Ends what it listens to. @type {AbortController|undefined} */ life;
  /** @type {Map<string, string>} */ #tags = new Map();
  /** @type {ReturnType<typeof setTimeout>|undefined} */ #timer;
  #busy = false;
  #again = false;
  #cost = 0;
  #failed = false;

  connectedCallback() {
    if (this.life !== undefined && !this.life.signal.aborted) return;
    this.life = new AbortController();
    const { signal } = this.life;
    this.dataset.morph = "keep";
    this.addEventListener("refresh", () => this.soon(), { signal });
    document.addEventListener("runnel:changed", () => this.soon(), { signal });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.#again) this.soon(); }, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour(), { signal });
    void dressed.then(() => this.#run());
  }

  disconnectedCallback() {
    const life = this.life;
    queueMicrotask(() => { // not if it was only moved
      if (this.isConnected) return;
      life?.abort();
      clearTimeout(this.#timer);
      this.#timer = undefined;
    });
  }

  /** Reads what is new and draws it. */
  async load() {}

  /** Draws anew in other colours. */
  recolour() {}

  /** Loads again soon: what comes together is read together, and reading takes no more
   * than a tenth of the time. */
  soon() {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => { this.#timer = undefined; void this.#run(); }, Math.max(calm, Math.min(10 * this.#cost, 30_000)));
  }

  async #run() {
    if (this.#busy || document.hidden) { this.#again = true; return; }
    this.#busy = true;
    this.#again = false;
    const began = performance.now();
    try {
      await this.load();
      if (this.#failed) this.querySelector(":scope > .island-note")?.remove();
      this.#failed = false;
    } catch (err) {
      if (!this.life?.signal.aborted) this.fail(err);
    }
    this.#cost = performance.now() - began;
    this.#busy = false;
    if (this.#again) this.soon();
  }

  /** Says what went wrong, above what there is. @param {unknown} err */
  fail(err) {
    this.#failed = true;
    const text = err instanceof Error ? err.message : String(err);
    const note = this.querySelector(":scope > .island-note") ?? this.insertBefore(h("p", { class: "island-note", role: "status" }), this.firstChild);
    note.replaceChildren("This could not be read: ", text, " ", h("button", { type: "button", class: "button", onclick: () => this.soon() }, "Try again"));
  }

  /** The URL that it reads from. @param {Record<string, string|number|boolean|string[]|undefined>} query */
  url(query = {}) {
    const url = new URL(this.getAttribute("src") ?? "", document.baseURI);
    for (const [name, value] of Object.entries(query)) {
      url.searchParams.delete(name);
      for (const v of Array.isArray(value) ? value : [value]) if (v !== undefined && v !== "" && v !== false) url.searchParams.append(name, String(v));
    }
    return url;
  }

  /** Asks for a URL; nothing if it is as it was when it was asked for last.
   * @param {URL} url @returns {Promise<Response|undefined>} */
  async ask(url) {
    const tag = this.#tags.get(url.href);
    const answer = await fetch(url, { cache: "no-store", credentials: "same-origin", headers: tag ? { "If-None-Match": tag } : {}, signal: this.life?.signal ?? null });
    if (answer.status === 304) return undefined;
    if (!answer.ok) throw new Error(await trouble(answer));
    this.#tags = new Map([[url.href, answer.headers.get("ETag") ?? ""]]);
    return answer;
  }

  /** A colour of the style sheet. @param {string} name */
  colour(name) { return getComputedStyle(this).getPropertyValue(`--${name}`).trim() || "#888"; }
}

/** What a problem says. @param {Response} answer */
export async function trouble(answer) {
  try {
    const p = /** @type {{detail?: string, title?: string, errors?: {message: string}[]}} */ (await answer.json());
    return [p.detail ?? p.title ?? answer.statusText, p.errors?.[0]?.message].filter(Boolean).join(": ");
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}
