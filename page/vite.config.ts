import { defineConfig } from "vite";

export default defineConfig({
  // The service may stand behind a proxy under any path.
  base: "./",
  build: {
    outDir: "../service/api/page/static",
    emptyOutDir: true,
    assetsDir: "page",
    // A data: address is no file that the policy of the page lets it run.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "^/(?!src|node_modules|@|index.html).+": "http://127.0.0.1:8000" } },
});
