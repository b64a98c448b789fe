import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { looks } from "../looks.mjs";
import { expect, start, test } from "../server.mjs";

const secret = "a-secret-of-an-admin-in-a-test";
/** @type {import("../server.mjs").Server} */ let server;

test.beforeAll(async () => {
  const file = join(await mkdtemp(join(tmpdir(), "runnel-")), "token");
  await writeFile(file, secret, { mode: 0o600 });
  server = await start(["server", "--db", "memory:", "--listen", "127.0.0.1:0", "--token-file", file, "--builtin"], { ready: /^pages:/, token: secret });
});
test.afterAll(() => server.stop());

/** @param {import("@playwright/test").Page} page @param {string} token */
async function logIn(page, token) {
  await page.goto(`${server.url}/runs`);
  await expect(page).toHaveURL(/\/login/);
  await page.getByLabel(/token/i).fill(token);
  await page.getByRole("button", { name: /log in/i }).click();
}

test("a wrong token is refused and says so", async ({ page }) => {
  await logIn(page, "wrong");
  await expect(page).toHaveURL(/\/login/);
  await expect(page.getByRole("main")).toContainText(/token/i);
});

test("an admin gets in, and out", async ({ page }) => {
  await logIn(page, secret);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Runs");
  const cookies = await page.context().cookies();
  expect(cookies.every((c) => !c.value.includes(secret))).toBe(true);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.goto(`${server.url}/runs`);
  await expect(page).toHaveURL(/\/login/);
});

test("who may only read sees no buttons", async ({ page }) => {
  const run = await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "shell", args: [{ command: "exit 3" }], name: "fails" }) });
  const reader = await server.api("/tokens", { method: "POST", body: JSON.stringify({ name: "reader", role: "read-only" }) });
  await logIn(page, reader.secret);
  await page.goto(`${server.url}/runs/${run.id}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("fails");
  await expect(page.locator(".head")).toContainText("failed");
  for (const verb of ["Retry", "Delete", "Cancel", "Pause"]) {
    await expect(page.getByRole("main").getByRole("link", { name: verb, exact: true })).toHaveCount(0);
  }
  // And what the buttons do is refused.
  const answer = await page.request.post(`${server.url}/runs/${run.id}/retry`, { headers: { Origin: server.url }, maxRedirects: 0 });
  expect(answer.status()).toBe(403);
});

test("a token is made on the settings page, is shown once, and lets in who has it", async ({ page }) => {
  await logIn(page, secret);
  await page.goto(`${server.url}/settings`);
  await page.getByRole("link", { name: "New token" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("nightly job");
  await page.getByRole("dialog").getByLabel("Role").selectOption("operator");
  await page.getByRole("dialog").getByRole("button").first().click();
  await expect(page.getByRole("main")).toContainText("want letters, digits, dots and dashes");
  await page.getByLabel("Name").fill("nightly-job");
  await expect(page.getByLabel("Role")).toHaveValue("operator"); // as it was chosen
  await page.getByRole("button", { name: "Create the token" }).click();
  const made = page.locator(".secret code");
  await expect(made).toHaveText(/\S{20,}/);
  const token = await made.innerText();
  const found = await looks(page, "token");
  await page.getByRole("link", { name: "I have it" }).click();
  await expect(page.getByRole("main")).toContainText("nightly-job");
  await expect(page.getByRole("main")).not.toContainText(token);
  found.push(...await looks(page, "tokens"));
  expect(found).toEqual([]);
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, token);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Runs");
  await page.goto(`${server.url}/audit`);
  await expect(page.getByRole("main")).toContainText(/admin|forbidden/i); // operators don't read it
});
