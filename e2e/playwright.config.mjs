import { defineConfig } from "@playwright/test";

// Debian's Chromium: Playwright's own can't be downloaded everywhere.
export default defineConfig({
  testDir: "tests",
  outputDir: "out/results",
  workers: 1, // two cores, and the server needs one
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  retries: 0,
  reporter: [["list"], ["./reporter.mjs"]],
  use: {
    viewport: { width: 1280, height: 850 },
    contextOptions: { reducedMotion: "reduce" }, // drawing what moves is most of the time; live and watch see it move
    trace: "off", // a fifth of the time; ARGS='--trace retain-on-failure' to look into what failed
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
    },
  },
});
