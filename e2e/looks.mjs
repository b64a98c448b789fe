// What axe says of a page, and pictures of it.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = new URL("out/pages/", import.meta.url).pathname;
await mkdir(shots, { recursive: true });

/** What is wrong with a page. @param {import("@playwright/test").Page} page @param {string} name
 * @param {boolean} [colours] only with those: it was looked at in others @returns {Promise<string[]>} */
async function flaws(page, name, colours = false) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((only) => /** @type {any} */ (globalThis).axe.run({ resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } }) }), colours);
  return violations.map((/** @type {any} */ v) => `${name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 2).map((/** @type {any} */ n) => n.html).join(" ")}`);
}

/** What is wrong with a page in either colour scheme, and whether it sticks out of a narrow
 * screen. It takes pictures of it all. @param {import("@playwright/test").Page} page @param {string} name @returns {Promise<string[]>} */
export async function looks(page, name) {
  const found = await flaws(page, name), shot = (/** @type {string} */ kind) => page.screenshot({ path: `${shots}${name}-${kind}.png` });
  await shot("light");
  await page.emulateMedia({ colorScheme: "dark" });
  found.push(...await flaws(page, `${name}, dark`, true));
  await shot("dark");
  const size = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > 320) found.push(`${name}: ${wide} px wide on a screen of 320`);
  await shot("dark-narrow");
  await page.emulateMedia({ colorScheme: "light" });
  await shot("light-narrow");
  if (size !== null) await page.setViewportSize(size);
  return found;
}
