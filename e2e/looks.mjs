// What axe says of a page, and pictures of it.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = new URL("out/pages/", import.meta.url).pathname;
await mkdir(shots, { recursive: true });

/** What is wrong with a page. @param {import("@playwright/test").Page} page @param {string} name
 * @param {boolean} [colours] only with those: it was looked at in others @returns {Promise<string[]>} */
async function flaws(page, name, colours = false) {
  if (!await page.evaluate(() => "axe" in globalThis)) await page.evaluate(axe); // half a megabyte: once a page
  // No rule that is on looks into style sheets: it need not fetch them again.
  const { violations } = await page.evaluate((only) => /** @type {any} */ (globalThis).axe.run({ preload: false, resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } }) }), colours);
  return violations.map((/** @type {any} */ v) => `${name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 2).map((/** @type {any} */ n) => n.html).join(" ")}`);
}

/** What takes pictures of a page, without what Playwright does around each: nothing moves here,
 * and they are written in a hurry, which takes a third of the time. @param {import("@playwright/test").Page} page @param {string} name */
async function camera(page, name) {
  const client = await page.context().newCDPSession(page);
  return {
    async shot(/** @type {string} */ kind) {
      const { data } = await client.send("Page.captureScreenshot", { format: "png", optimizeForSpeed: true });
      await writeFile(`${shots}${name}-${kind}.png`, data, "base64");
    },
    away: () => client.detach(),
  };
}

/** What is wrong with a page in either colour scheme, and whether it sticks out of a narrow
 * screen. It takes pictures of it all. @param {import("@playwright/test").Page} page @param {string} name @returns {Promise<string[]>} */
export async function looks(page, name) {
  const found = await flaws(page, name), { shot, away } = await camera(page, name);
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
  await away();
  if (size !== null) await page.setViewportSize(size);
  return found;
}
