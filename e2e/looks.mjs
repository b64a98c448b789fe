// What axe says of a page, and pictures of it.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = new URL("out/pages/", import.meta.url).pathname;
await mkdir(shots, { recursive: true });

/** What is wrong with a page. @param {import("@playwright/test").Page} page @param {string} name
 * @param {boolean} [colours] only with those: it was looked at in others @returns {Promise<string[]>} */
export async function flaws(page, name, colours = false) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((only) => /** @type {any} */ (globalThis).axe.run({ resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } }) }), colours);
  return violations.map((/** @type {any} */ v) => `${name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 2).map((/** @type {any} */ n) => n.html).join(" ")}`);
}

/** Takes its pictures, and says whether it sticks out of a narrow screen.
 * @param {import("@playwright/test").Page} page @param {string} name @param {string} scheme @returns {Promise<string[]>} */
export async function pictures(page, name, scheme) {
  await page.screenshot({ path: `${shots}${name}-${scheme}.png` });
  await page.setViewportSize({ width: 320, height: 640 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.screenshot({ path: `${shots}${name}-${scheme}-narrow.png` });
  await page.setViewportSize({ width: 1280, height: 850 });
  return wide > 320 ? [`${name}: ${wide} px wide on a screen of 320`] : [];
}
