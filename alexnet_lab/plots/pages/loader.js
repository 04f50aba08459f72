// Puts the page in the place of the still picture in the same output, on the screen.
(() => {
  const [title, page] = PAGE;
  const output = document.currentScript.parentElement;
  const frame = document.createElement("iframe");
  frame.title = title;
  frame.srcdoc = page;
  // Light or dark as JupyterLab and Sphinx say, else as the browser does.
  const follow = () => {
    const { body, documentElement: root } = document;
    const lab = { true: "light", false: "dark" }[body.dataset.jpThemeLight];
    const theme = lab || root.dataset.theme || body.dataset.theme;
    const scheme = ["light", "dark"].includes(theme) ? theme : "light dark";
    frame.contentDocument.documentElement.style.colorScheme = scheme;
  };
  frame.addEventListener("load", () => {
    const { body } = frame.contentDocument;
    const fit = () => { frame.style.height = `${body.scrollHeight + 4}px`; };
    new ResizeObserver(fit).observe(body);
    const themes = new MutationObserver(follow);
    const attributeFilter = ["data-jp-theme-light", "data-theme"];
    themes.observe(document.body, { attributeFilter });
    themes.observe(document.documentElement, { attributeFilter });
    follow();
  });
  // Paper gets the still picture; on a slide the page scrolls.
  const style = document.createElement("style");
  style.textContent = `
    .alexnet-lab-page iframe { border: 0; display: block; width: 100%; height: 640px; }
    .reveal .alexnet-lab-page iframe { max-width: 100%; max-height: 560px; }
    @media screen { .alexnet-lab-page > figure { display: none; } }
    @media print { .alexnet-lab-page > iframe { display: none; } }`;
  output.className = "alexnet-lab-page";
  output.append(style, frame);
})();
