// eslint's recommended rules for the JavaScript of the pages; `make lint` calls them.
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";

// eslint brings these rules along, wherever npx has put it
const { configs } = createRequire(realpathSync(process.argv[1]))("@eslint/js");
const browser = [
  "CSS", "Image", "ImageData", "MutationObserver", "OffscreenCanvas", "ResizeObserver",
  "atob", "clearTimeout", "document", "getComputedStyle", "location", "matchMedia",
  "navigator", "performance", "requestAnimationFrame", "setTimeout", "window",
];

export default [
  configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: {
      sourceType: "script", // a page's scripts share one scope; DATA is what Page gives
      globals: Object.fromEntries(["DATA", ...browser].map((name) => [name, "readonly"])),
    },
  },
  { files: ["**/loader.js"], languageOptions: { globals: { PAGE: "readonly" } } },
];
