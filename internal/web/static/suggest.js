// Suggests fields and values of the filter language while somebody types one: a combobox
// over the last word. data-suggest has all there is, with spaces between. With data-find
// it leads to what is named so, too: that page knows it.

const list = document.createElement("ul");
list.id = "suggestions";
list.className = "suggestions";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Suggestions");
list.hidden = true;
document.body.append(list);

/** @type {HTMLInputElement|null} */ let input = null;
let at = -1; // the one that is chosen

/** The last word, without the dash of a negation, and where it begins. @param {HTMLInputElement} of @returns {[string, number]} */
function word(of) {
  const before = of.value.slice(0, of.selectionStart ?? of.value.length);
  const begin = Math.max(before.lastIndexOf(" "), before.lastIndexOf(",")) + 1;
  const dash = before[begin] === "-" ? 1 : 0;
  return [before.slice(begin + dash), begin + dash];
}

function close() {
  asked++;
  list.hidden = true;
  at = -1;
  input?.setAttribute("aria-expanded", "false");
  input?.removeAttribute("aria-activedescendant");
}

/** @param {HTMLInputElement} of */
function open(of) {
  const [typed] = word(of);
  const all = (of.dataset.suggest ?? "").split(" ");
  // Values once the field is there, else fields.
  const fits = all.filter((s) => s.startsWith(typed) && s !== typed && (typed.includes(":") || s.indexOf(":") === s.length - 1)).slice(0, 12);
  show(of, fits.map((s) => option(s)));
  if (of.dataset.find !== undefined && !of.value.includes(":")) void find(of, fits);
}

/** @param {string} text @param {string} [kind] @param {string} [href] where it leads */
function option(text, kind, href) {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.dataset.text = text;
  item.textContent = text;
  if (href === undefined) return item;
  item.dataset.href = href;
  const of = document.createElement("span");
  of.textContent = ` ${kind}`;
  item.append(of);
  return item;
}

let asked = 0; // so that only the answer to the last question is shown

/** Adds what is named so. @param {HTMLInputElement} of @param {string[]} fits fields that begin so */
async function find(of, fits) {
  const mine = ++asked, typed = of.value;
  await new Promise((done) => { setTimeout(done, 80); });
  if (mine !== asked) return;
  const answer = await fetch(`${of.dataset.find}?list=1&q=${encodeURIComponent(typed)}`, { credentials: "same-origin" }).catch(() => undefined);
  if (answer?.ok !== true || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== asked || of.value !== typed || document.activeElement !== of) return;
  const found = [...page.querySelectorAll("#hits a")].map((a) => option(a.querySelector("b")?.textContent ?? "", a.querySelector("span")?.textContent ?? "", new URL(a.getAttribute("href") ?? "", answer.url).href));
  show(of, [...found, ...(typed === "" ? [] : fits.slice(0, 4).map((s) => option(s)))]);
}

/** @param {HTMLInputElement} of @param {HTMLLIElement[]} items */
function show(of, items) {
  if (items.length === 0) { close(); return; }
  input = of;
  at = -1;
  items.forEach((item, i) => { item.id = `suggestion-${i}`; });
  list.replaceChildren(...items);
  const box = of.getBoundingClientRect();
  list.style.left = `${box.left}px`;
  list.style.top = `${box.bottom + 4}px`;
  list.hidden = false;
  of.setAttribute("aria-expanded", "true");
}

/** @param {number} to */
function choose(to) {
  const items = [...list.children];
  at = (to + items.length) % items.length;
  items.forEach((e, i) => e.setAttribute("aria-selected", String(i === at)));
  items[at].scrollIntoView({ block: "nearest" });
  input?.setAttribute("aria-activedescendant", items[at].id);
}

/** Puts a suggestion in place of the word, or goes where it leads. @param {HTMLElement} item */
function take(item) {
  if (input === null) return;
  if (item.dataset.href !== undefined) { location.assign(item.dataset.href); return; }
  const text = item.dataset.text ?? "";
  const [typed, begin] = word(input);
  const rest = input.value.slice(begin + typed.length);
  const gap = text.endsWith(":") || rest.startsWith(" ") ? "" : " ";
  input.value = input.value.slice(0, begin) + text + gap + rest;
  const end = begin + text.length + gap.length;
  input.setSelectionRange(end, end);
  if (text.endsWith(":")) open(input);
  else close();
}

/** @param {HTMLInputElement} one */
function attach(one) {
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) one.setAttribute(name, value);
  one.addEventListener("input", () => open(one));
  if (one.dataset.find !== undefined) one.addEventListener("focus", () => { if (one.value === "") void find(one, []); });
  one.addEventListener("blur", close);
  one.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    if (e.key === "ArrowDown") { e.preventDefault(); if (list.hidden) open(one); else choose(at + 1); return; }
    if (list.hidden) return;
    if (e.key === "ArrowUp") { e.preventDefault(); choose(at < 0 ? -1 : at - 1); }
    else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) { e.preventDefault(); take(/** @type {HTMLElement} */ (list.children[at])); }
    else if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); close(); }
  });
}

list.addEventListener("mousedown", (e) => {
  e.preventDefault(); // the input keeps the focus
  const item = e.target instanceof Element ? e.target.closest("li") : null;
  if (item !== null) take(item);
});
for (const one of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[data-suggest]"))) attach(one);
addEventListener("scroll", close, { passive: true });

export {};
