import { expect, runNamed, test } from "../server.mjs";

test("what is wrong with a failed task is two clicks away", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=state:failed`);
  await page.getByRole("link", { name: "pay", exact: true }).click();
  await expect(page.getByText("card 1234: connection refused").first()).toBeVisible();
  await page.getByRole("link", { name: "Look at it" }).click();
  await expect(page.getByRole("complementary")).toContainText("connection refused");
});

test("the favicon and the title say the state", async ({ page, server }) => {
  const failed = await runNamed(server, "pay");
  await page.goto(`${server.url}/runs/${failed.id}`);
  await expect(page).toHaveTitle(/^✗ pay/);
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", /failed/);
});

test("a filter is in the URL, and survives going back", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await page.getByLabel("Filter", { exact: true }).fill("state:cancelled");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/q=state%3Acancelled/);
  const rows = page.locator("#runs tbody tr");
  await expect(rows.first()).toBeVisible();
  for (const row of await rows.all()) await expect(row).toContainText("cancelled");
  await rows.first().getByRole("link").first().click();
  await page.goBack();
  await expect(page.getByLabel("Filter", { exact: true })).toHaveValue("state:cancelled");
});

test("a filter that is wrong says what is wrong and keeps what was typed", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=stat:failed`);
  await expect(page.getByRole("main")).toContainText(/state/);
});

test("tasks are filtered by their own tags", async ({ page, server }) => {
  await page.goto(`${server.url}/tasks?q=tag:catalogue`);
  const rows = page.locator("main tbody tr");
  await expect(rows.first()).toContainText("catalogue");
  for (const row of await rows.all()) await expect(row).toContainText("catalogue");
});

test("the beginning of an id leads to its run", async ({ page, server }) => {
  const run = await runNamed(server, "late");
  await page.goto(`${server.url}/tasks`);
  await page.keyboard.press("/");
  await page.keyboard.press("Control+k");
  await page.locator("#search").fill(run.id);
  await page.locator("#search").press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("late");
});

test("text of others is never markup", async ({ page, server }) => {
  const run = await runNamed(server, "strange");
  let asked = false;
  page.on("dialog", (d) => { asked = true; void d.dismiss(); });
  for (const tab of ["", "?tab=graph", "?tab=timeline", "?tab=tasks", "?tab=logs", "?tab=data", "?tab=history", "?task=0"]) {
    await page.goto(`${server.url}/runs/${run.id}${tab}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("strange");
    expect(await page.locator("main img[src=x]").count(), tab).toBe(0);
  }
  expect(asked).toBe(false);
});

test("what waits says why", async ({ page, server }) => {
  const run = await runNamed(server, "waits for room");
  await page.goto(`${server.url}/runs/${run.id}?tab=tasks`);
  await expect(page.getByRole("main")).toContainText(/slot of .*scales/);
});

test("a stretch of the runs over time is chosen by a drag", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=state%3Afailed&span=1h`);
  const chart = page.locator(".strip .chart svg");
  const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await chart.boundingBox());
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 22);
  await expect(page.locator(".stretch")).toBeVisible();
  await page.mouse.move(box.x + box.width - 1, box.y + 20);
  await page.mouse.up();
  await expect(page).toHaveURL(/created/);
  await expect(page.getByLabel("Filter", { exact: true })).toHaveValue(/^state:failed created:\S+\.\.\S+$/);
  await expect(page.locator("#runs tbody tr").first()).toContainText("failed");
});

test("the columns of a table are those that somebody chose", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=state%3Afailed`);
  const chooser = page.locator("details.columns"), head = (/** @type {string} */ name) => page.getByRole("columnheader", { name });
  await expect(head("Retries")).toBeVisible();
  await chooser.getByText("Columns").click();
  await chooser.getByLabel("Retries").uncheck();
  await chooser.getByLabel("Finished").check();
  await page.keyboard.press("Escape"); // of what was not sent nothing comes
  await expect(chooser.getByLabel("Retries")).toBeHidden();
  await chooser.getByText("Columns").click();
  await chooser.getByRole("button", { name: "Show these" }).click();
  await expect(head("Finished")).toBeVisible();
  await expect(head("Retries")).toHaveCount(0);
  await expect(page).toHaveURL(/q=state%3Afailed/);
  await page.goto(`${server.url}/runs`);
  await expect(head("Retries")).toHaveCount(0);
  await chooser.getByText("Columns").click();
  await chooser.getByRole("button", { name: "As at first" }).click();
  await expect(head("Retries")).toBeVisible();
});

test("a filter is saved for everybody, used and deleted", async ({ page, browser, server }) => {
  await page.goto(`${server.url}/runs`);
  await page.getByLabel("Filter", { exact: true }).fill("name:late state:failed");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("main").getByRole("link", { name: "Save" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Too late");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("link", { name: "Too late" })).toHaveAttribute("aria-current", "true");
  const other = await browser.newPage();
  await other.goto(`${server.url}/runs`);
  await other.getByRole("link", { name: "Too late" }).click();
  await expect(other.locator("#runs tbody tr").first()).toContainText("late");
  await other.close();
  await page.getByRole("main").getByRole("link", { name: "Forget" }).click();
  await dialog.getByRole("button", { name: "Delete the filter" }).click();
  await expect(page.getByRole("link", { name: "Too late" })).toHaveCount(0);
});
