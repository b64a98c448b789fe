// The keyboard: what each key does, and the dialog that says so. Keys are off where
// somebody types.

import { peek, toggle } from "./live.js";

/** @param {Element|null} e */
const typing = (e) => e !== null && e.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll(".rows tbody tr")].map((r) => /** @type {HTMLElement} */ (r));

/** Moves to another row. @param {number} by */
function move(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((r) => r.classList.contains("at"));
  const to = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all[at]?.classList.remove("at");
  to.classList.add("at");
  to.scrollIntoView({ block: "nearest" });
  to.querySelector("a")?.focus({ preventScroll: true });
}

/** @param {string} selector */
const press = (selector) => /** @type {HTMLElement|null} */ (document.querySelector(selector))?.click();

/** @type {Record<string, [string, () => void]>} */
const keys = {
  "/": ["find or filter", () => /** @type {HTMLInputElement|null} */ (document.getElementById("filter") ?? document.getElementById("search"))?.select()],
  j: ["next row", () => move(1)],
  k: ["row before", () => move(-1)],
  " ": ["peek at the row", () => { const a = /** @type {HTMLAnchorElement|null} */ (document.querySelector(".rows tr.at th a[href]")); if (a !== null) void peek(a); }],
  x: ["tick the row", () => press(".rows tr.at input[type=checkbox]")],
  n: ["older, or next page", () => press("a[rel=next]")],
  p: ["pause or follow", toggle],
  "[": ["the run before", () => press("a[rel=prev-run]")],
  "]": ["the run after", () => press("a[rel=next-run]")],
  "?": ["these keys", help],
};

/** @type {HTMLDialogElement|undefined} */ let dialog;

function help() {
  if (dialog === undefined) {
    dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "keys-title");
    const title = document.createElement("h2");
    title.id = "keys-title";
    title.textContent = "Keys";
    const table = document.createElement("table");
    const body = table.createTBody();
    const pages = [...document.querySelectorAll(".rail a[data-key]")].filter((a) => a.getAttribute("data-key"));
    const all = [...Object.entries(keys).map(([key, [what]]) => [key, what]), ["1 … 7", "tabs of a run"],
      ...pages.map((a) => [`g ${a.getAttribute("data-key")}`, a.textContent?.trim() ?? ""]), ["Esc", "close"]];
    for (const [key, what] of all) {
      const row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      for (const part of key === " " ? ["Space"] : key.split(" ")) { const k = document.createElement("kbd"); k.textContent = part; head.append(k, " "); }
      row.append(head);
      row.insertCell().textContent = what;
    }
    dialog.append(title, table);
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog?.close(); });
    document.body.append(dialog);
  }
  dialog.showModal();
}

let going = false; // g was pressed

addEventListener("keydown", (e) => {
  if (e.metaKey || e.ctrlKey || e.altKey || e.isComposing) {
    if (e.key === "k" && (e.metaKey || e.ctrlKey)) { e.preventDefault(); /** @type {HTMLInputElement|null} */ (document.getElementById("search"))?.select(); }
    return;
  }
  if (typing(document.activeElement)) {
    if (e.key === "Escape") /** @type {HTMLElement} */ (document.activeElement).blur();
    return;
  }
  if (document.querySelector("dialog[open]") !== null || e.defaultPrevented) return;
  if (going) {
    going = false;
    const to = /** @type {HTMLElement|null} */ (document.querySelector(`.rail a[data-key="${CSS.escape(e.key)}"]`));
    if (to !== null) { e.preventDefault(); to.click(); }
    return;
  }
  if (e.key === "g") { going = true; setTimeout(() => { going = false; }, 1500); return; }
  if (e.key >= "1" && e.key <= "9") {
    const tab = /** @type {HTMLElement|undefined} */ (document.querySelectorAll(".tabs a")[Number(e.key) - 1]);
    if (tab !== undefined) { e.preventDefault(); tab.click(); }
    return;
  }
  if (e.key === "Escape") { press(document.querySelector("details.columns[open]") === null ? "a[data-shut]" : "details.columns[open] summary"); return; }
  const on = document.activeElement; // where Space means something else, it is left to that
  if (e.key === " " && (document.querySelector(".rows tr.at") === null || (on !== document.body && on?.closest(".rows tr.at a") === null))) return;
  const known = keys[e.key];
  if (known === undefined) return;
  e.preventDefault();
  known[1]();
});

const button = document.getElementById("keys");
if (button !== null) { button.hidden = false; button.addEventListener("click", help); }
