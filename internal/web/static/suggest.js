// Suggests fields and values of the filter language while somebody types one: a combobox
// over the last word. data-suggest has all there is, with spaces between.

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
  if (fits.length === 0) { close(); return; }
  input = of;
  at = -1;
  list.replaceChildren(...fits.map((s, i) => {
    const item = document.createElement("li");
    item.id = `suggestion-${i}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.textContent = s;
    return item;
  }));
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

/** Puts a suggestion in place of the word. @param {string} text */
function take(text) {
  if (input === null) return;
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
  one.addEventListener("blur", close);
  one.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    if (e.key === "ArrowDown") { e.preventDefault(); if (list.hidden) open(one); else choose(at + 1); return; }
    if (list.hidden) return;
    if (e.key === "ArrowUp") { e.preventDefault(); choose(at < 0 ? -1 : at - 1); }
    else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) { e.preventDefault(); take(list.children[at].textContent ?? ""); }
    else if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); close(); }
  });
}

list.addEventListener("mousedown", (e) => {
  e.preventDefault(); // the input keeps the focus
  if (e.target instanceof HTMLLIElement) take(e.target.textContent ?? "");
});
for (const one of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[data-suggest]"))) attach(one);
addEventListener("scroll", close, { passive: true });

export {};
