// Keeps a page as new as what it shows: hears what changes, fetches the page again and
// morphs what differs into place. Also what small things a page does by itself: times in
// the zone of who looks, dialogs, copying.

/** @typedef {{morph: (old: Element, now: Element, config: object) => void}} Idiomorph */
const { Idiomorph } = /** @type {{Idiomorph: Idiomorph}} */ (/** @type {unknown} */ (globalThis));

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const dot = /** @type {HTMLButtonElement|null} */ (document.getElementById("live"));
const root = document.body.dataset.base ?? "./";
const polled = 3000; // between two looks without a stream, in milliseconds
const together = 100; // from the first that is heard to looking, in milliseconds
const patience = 5; // failures of the stream before that

// --- Times ----------------------------------------------------------------

const utc = document.documentElement.dataset.times === "utc";
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23", timeZone: utc ? "UTC" : undefined });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: utc ? "UTC" : undefined });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: utc ? "UTC" : undefined });

/** How long something took, as Go's span writes it. @param {number} ms */
export function span(ms) {
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 172800) return `${Math.floor(s / 3600)}h ${two((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${two((s % 86400) / 3600)}h`;
}

/** A time as seen from now. @param {number} at @param {number} now */
export function ago(at, now) {
  const s = Math.round(Math.abs(now - at) / 1000);
  if (s < 2) return "now";
  const text = s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
  return at > now ? `in ${text}` : `${text} ago`;
}

/** Writes what depends on the time of day. @param {ParentNode} where */
function tick(where) {
  const now = Date.now();
  for (const t of /** @type {NodeListOf<HTMLTimeElement>} */ (where.querySelectorAll("time[datetime]"))) {
    const at = Date.parse(t.dateTime);
    const text = t.dataset.exact === "hour" ? hour.format(at) : t.dataset.exact !== undefined ? clock.format(at) : ago(at, now);
    if (t.textContent !== text) t.textContent = text;
    const title = exact.format(at) + (utc ? " UTC" : "");
    if (t.title !== title) t.title = title;
  }
  for (const e of /** @type {NodeListOf<HTMLElement>} */ (where.querySelectorAll(".ticking[data-since]"))) {
    const text = span(now - Date.parse(e.dataset.since ?? ""));
    if (e.textContent !== text) e.textContent = text;
  }
}

// --- Morphing -------------------------------------------------------------

let composing = false; // by an input method, whose text is not to be touched
addEventListener("compositionstart", () => { composing = true; });
addEventListener("compositionend", () => { composing = false; });

/** What somebody has selected; asked for once, since the browser lays out the page to tell.
 * @type {Range|null} */
let chosen = null;

/** @returns {Range|null} */
function selection() {
  const s = getSelection();
  return s === null || s.isCollapsed || s.rangeCount === 0 ? null : s.getRangeAt(0);
}

const rules = {
  ignoreActiveValue: true,
  callbacks: {
    /** @param {Node} old @param {Node} now */
    beforeNodeMorphed(old, now) {
      if (!(old instanceof Element) || !(now instanceof Element)) return !(chosen !== null && old instanceof Text && chosen.intersectsNode(old));
      if (old.isEqualNode(now)) return false;
      if (old instanceof HTMLDetailsElement) now.toggleAttribute("open", old.open);
      if (old instanceof HTMLInputElement && now instanceof HTMLInputElement) {
        if (old.type === "checkbox" || old.type === "radio") { now.toggleAttribute("checked", old.checked); now.checked = old.checked; }
        else if (old.value !== old.defaultValue) return false; // somebody has typed into it
      }
      if (old instanceof HTMLTextAreaElement && old.value !== old.defaultValue) return false;
      // What draws itself hears that it is to look again, and keeps what is in it.
      if (old.localName.includes("-")) {
        for (const a of [...now.attributes]) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
        old.dispatchEvent(new CustomEvent("refresh"));
        return false;
      }
      return true;
    },
    /** @param {string} name @param {Element} element @param {string} how */
    beforeAttributeUpdated(name, element, how) {
      if (name === "class" && element.classList.contains("at")) return false; // the keyboard is there
      return !(how === "remove" && name === "open" && element instanceof HTMLDialogElement);
    },
  },
};

/** Puts a page that was fetched in place of the one that is shown. @param {string} text */
function put(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const now = page.getElementById("main");
  if (now === null) { location.reload(); return; }
  if (page.body.dataset.static !== document.body.dataset.static) { location.reload(); return; } // another version of the pages
  document.title = page.title;
  const icon = document.querySelector("link[rel=icon]"), newer = page.querySelector("link[rel=icon]");
  const href = newer?.getAttribute("href");
  if (icon !== null && href && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  tick(page); // so that what has not changed is equal, and passed over
  tick(document);
  const at = [scrollX, scrollY];
  chosen = selection();
  Idiomorph.morph(main, now, rules);
  for (const part of ["rail", "crumbs"]) {
    const old = document.querySelector(`.${part}`), fresh = page.querySelector(`.${part}`);
    if (old !== null && fresh !== null && !old.isEqualNode(fresh)) Idiomorph.morph(old, fresh, rules);
  }
  scrollTo(at[0], at[1]);
  main.dispatchEvent(new CustomEvent("morphed"));
}

// --- The stream -----------------------------------------------------------

let etag = "", cost = 0, ended = -Infinity, dirty = false, fetching = false, stopped = false, failures = 0;
/** @type {EventSource|null} */ let stream = null;
/** @type {ReturnType<typeof setTimeout>|undefined} */ let timer;

/** @param {string} state @param {string} word */
function show(state, word) {
  if (dot === null) return;
  dot.dataset.state = state;
  dot.setAttribute("aria-pressed", String(state === "paused"));
  /** @type {HTMLElement} */ (dot.querySelector("span")).textContent = word;
}

/** Fetches the page again, once, however many ask meanwhile. */
async function refresh() {
  if (fetching || composing || document.hidden || stopped) { dirty = true; return; }
  fetching = true;
  dirty = false;
  const began = performance.now(), href = location.href;
  try {
    const headers = etag === "" ? undefined : { "If-None-Match": etag };
    const answer = await fetch(href, { headers, cache: "no-store", credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) { location.assign(answer.url); return; }
    if (answer.status === 200 || answer.status === 404) {
      const text = await answer.text();
      if (href !== location.href) dirty = true; // what is looked at has changed meanwhile: links would lead back to what was
      else { etag = answer.headers.get("ETag") ?? ""; put(text); }
    }
    if (failures >= patience && stream === null) show("polling", "polling");
  } catch {
    show("polling", "no answer");
  } finally {
    fetching = false;
    ended = performance.now();
    cost = ended - began;
    if (dirty) soon();
  }
}

/** Asks for a refresh: almost at once after a quiet time, so that what comes together is
 * fetched together; else never so often that fetching is most of what this page does. */
function soon() {
  if (timer !== undefined) return;
  const pace = Math.max(Number(main.dataset.pace) || 1000, Math.min(10 * cost, 30_000));
  timer = setTimeout(() => { timer = undefined; void refresh(); }, Math.max(together, ended + pace - performance.now()));
}

/** Begins to listen. */
function listen() {
  const topics = (main.dataset.topics ?? "").split(" ").filter(Boolean);
  if (dot !== null) dot.hidden = topics.length === 0;
  if (topics.length === 0 || stream !== null || document.hidden || stopped) return;
  const query = topics.map((t) => `topic=${encodeURIComponent(t)}`).join("&");
  const s = new EventSource(`${root}api/v1/events?${query}`);
  stream = s;
  s.onopen = () => {
    soon(); // something may have been missed: since the page was made, or the stream broke off
    failures = 0;
    show("live", "live");
  };
  s.onerror = () => {
    failures++;
    show(failures < patience ? "waiting" : "polling", failures < patience ? "connecting" : "polling");
    if (failures >= patience || s.readyState === EventSource.CLOSED) { s.close(); if (stream === s) stream = null; }
  };
  for (const kind of ["run.changed", "limit.changed", "schedule.changed", "worker.changed", "reset"]) {
    s.addEventListener(kind, soon);
  }
}

function hush() {
  stream?.close();
  stream = null;
  clearTimeout(timer);
  timer = undefined;
}

setInterval(() => {
  if (document.hidden || stopped || !main.dataset.topics) return;
  if (stream !== null) {
    if (document.querySelector(".rail .badge") !== null) soon(); // no event tells that an operation has ended
    return;
  }
  if (failures >= patience) soon();
  if (failures % 10 !== 0 || failures === 0) listen();
  else failures++;
}, polled);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { hush(); return; }
  listen();
  void refresh();
});
addEventListener("pagehide", hush);
addEventListener("pageshow", (e) => { if (e.persisted) { listen(); void refresh(); } });

export function toggle() {
  stopped = !stopped;
  if (stopped) { hush(); show("paused", "paused"); return; }
  failures = 0;
  show("waiting", "connecting");
  listen();
  void refresh();
}
dot?.addEventListener("click", toggle);

// --- Dialogs and the small things ------------------------------------------

/** @type {HTMLDialogElement|undefined} */ let modal;

/** Shows the form of a page as a dialog. @param {string} url */
async function ask(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector("form.confirm");
  if (!answer.ok || form === null) { location.assign(url); return; }
  // The form's paths are relative to its page, which is not the one that shows it.
  const action = form.getAttribute("action") ?? "";
  form.setAttribute("action", new URL(action, answer.url).href);
  for (const a of form.querySelectorAll("a[href]")) a.setAttribute("href", new URL(a.getAttribute("href") ?? "", answer.url).href);
  const title = form.querySelector("h1");
  if (title !== null) { const h = document.createElement("h2"); h.id = "modal-title"; h.append(...title.childNodes); title.replaceWith(h); }
  dialog().replaceChildren(form);
  dialog().showModal();
  /** @type {HTMLElement|null} */ (form.querySelector("input:not([type=hidden]), textarea, select, button"))?.focus();
}

/** The dialog, which is made when it is needed. */
function dialog() {
  if (modal === undefined) {
    const d = modal = document.createElement("dialog");
    d.setAttribute("aria-labelledby", "modal-title");
    document.body.append(d);
    d.addEventListener("click", (e) => { if (e.target === d) d.close(); });
  }
  return modal;
}

/** What matters of the page behind a link: its name and state, and the first parts of it
 * that a selector finds; none if it has none. @param {HTMLAnchorElement} a @param {string} selector @param {number} most */
export async function gist(a, selector, most) {
  const answer = await fetch(a.href, { credentials: "same-origin" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html"), from = page.querySelector(".panel") ?? page.getElementById("main");
  if (from === null) return undefined;
  const parts = [...from.querySelectorAll(selector)].slice(0, most);
  for (const e of parts.flatMap((p) => [p, ...p.querySelectorAll("*")])) {
    for (const name of ["id", "aria-labelledby"]) e.removeAttribute(name);
    const href = e.localName === "a" ? e.getAttribute("href") : null;
    if (href !== null) e.setAttribute("href", new URL(href, answer.url).href);
  }
  const body = document.createElement("div");
  body.append(...parts);
  for (const extra of body.querySelectorAll(".near, .actions, .choice")) extra.remove();
  tick(body);
  return { name: from.querySelector("h1, .head h2")?.textContent ?? "", state: from.querySelector(".head .pill") ?? "", body };
}

/** Shows what matters of the page behind a link, without going there. @param {HTMLAnchorElement} a */
export async function peek(a) {
  const found = await gist(a, ".sub, .progress, .why, .summary, .trouble-box, .facts, .page > section > .table, .attempts", 8);
  if (found === undefined) return;
  const h = document.createElement("h2"), go = document.createElement("a");
  h.id = "modal-title";
  h.append(found.name, " ", found.state);
  go.className = "button first";
  go.href = a.href;
  go.textContent = "Open";
  found.body.className = "peek";
  dialog().replaceChildren(h, found.body, go);
  dialog().showModal();
  go.focus();
}

/** @param {HTMLElement} e */
async function copy(e) {
  const text = e.dataset.copy ?? e.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not over plain http
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  e.classList.add("copied");
  setTimeout(() => e.classList.remove("copied"), 1200);
}

document.addEventListener("click", (e) => {
  if (!(e.target instanceof Element) || e.defaultPrevented) return;
  for (const d of document.querySelectorAll("details.columns[open]")) if (!d.contains(e.target)) d.removeAttribute("open");
  const plain = e.button === 0 && !e.metaKey && !e.ctrlKey && !e.shiftKey && !e.altKey;
  const a = /** @type {HTMLAnchorElement|null} */ (e.target.closest("a[data-modal]"));
  if (a !== null && plain) { e.preventDefault(); void ask(a.href); return; }
  if (e.target.closest("[data-close]") !== null && modal?.open) { e.preventDefault(); modal.close(); return; }
  const copied = /** @type {HTMLElement|null} */ (e.target.closest("[data-copy]"));
  if (copied !== null && e.target.closest("a, button") === null) { void copy(copied); return; }
  // A row leads where its first link does.
  const row = e.target.closest(".rows tbody tr");
  if (row !== null && plain && e.target.closest("a, button, input, label, summary, time") === null && getSelection()?.isCollapsed !== false) {
    /** @type {HTMLAnchorElement|null} */ (row.querySelector("th a[href]"))?.click();
  }
});

// A form that chooses is sent as a dialog too: see bulk actions.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-modal]")) return;
  e.preventDefault();
  const data = new FormData(form, e.submitter);
  const q = new URLSearchParams(/** @type {[string, string][]} */ ([...data.entries()].filter(([, v]) => typeof v === "string")));
  void ask(`${new URL(form.getAttribute("action") ?? "", location.href)}?${q}`); // .action may be a button of that name
});

// Ticking rows: all of a page, or with Shift all since the last one.
/** @type {HTMLInputElement|null} */ let ticked = null;
const boxes = () => /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll(".rows tbody .tick input")]);

/** Says how many are ticked. */
function counted() {
  const label = document.getElementById("ticked"), n = boxes().filter((b) => b.checked).length;
  if (label !== null) label.textContent = n === 1 ? "1 ticked" : `${n} ticked`;
  const all = /** @type {HTMLInputElement|null} */ (document.querySelector("[data-tick-all]"));
  if (all !== null) { all.checked = n > 0 && n === boxes().length; all.indeterminate = n > 0 && !all.checked; }
}
main.addEventListener("click", (e) => {
  const box = e.target;
  if (!(box instanceof HTMLInputElement) || box.type !== "checkbox") return;
  if (box.matches("[data-tick-all]")) for (const b of boxes()) b.checked = box.checked;
  else if (box.matches(".tick input")) {
    const all = boxes(), to = all.indexOf(box), from = ticked === null ? -1 : all.indexOf(ticked);
    if (e.shiftKey && from >= 0) for (const b of all.slice(Math.min(from, to), Math.max(from, to) + 1)) b.checked = box.checked;
    ticked = box;
  }
  counted();
});
main.addEventListener("morphed", counted);

/** Scrolls bars of links that are wider than the screen to where one is. */
function reach() {
  for (const here of document.querySelectorAll("nav [aria-current]")) {
    const bar = /** @type {Element} */ (here.closest("nav")), hidden = here.getBoundingClientRect().right - bar.getBoundingClientRect().right;
    if (hidden > 0) bar.scrollLeft += hidden + 24; // so that one sees whether more comes
  }
}
reach();
addEventListener("resize", reach);

tick(document);
setInterval(() => { if (!document.hidden) tick(document); }, 1000);
listen();
