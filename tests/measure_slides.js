// Goes through a deck, as tests/test_slides.py bids, and returns how many slides there
// are, and all that is cut, too small, squeezed, without words, or open too early.
() => {
  const found = [];

  function box(node) {
    if (node.tagName) return node.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  }

  function measure(slide) {
    const say = (what, node) => {
      const words = (node.textContent || node.outerHTML).trim().slice(0, 50);
      found.push(`${slide.id}: ${what}: ${words}`);
    };
    const size = (node) => parseFloat(getComputedStyle(node).fontSize);
    const nodes = [...slide.querySelectorAll("img, svg")];
    const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (walker.currentNode.data.trim()) nodes.push(walker.currentNode);
    }
    for (const node of nodes) {
      if (node.parentElement.closest("aside, mjx-assistive-mml, svg")) continue;
      const { left, top, right, bottom } = box(node);
      if (left < -1 || top < -1 || right > 1281 || bottom > 711) say("cut", node);
    }
    for (const pre of slide.querySelectorAll("pre")) {
      if (size(pre) < 20) say("small code", pre);
      const over = pre.scrollWidth - pre.clientWidth;
      const below = pre.scrollHeight - pre.clientHeight;
      if (over > 1 || below > 1) say("code runs over", pre);
    }
    for (const image of slide.querySelectorAll("img")) {
      if (!image.naturalWidth) say("no picture", image);
      if (!image.alt.trim()) say("no words", image);
      const { width, height } = image.getBoundingClientRect();
      const ratio = (width / height) * (image.naturalHeight / image.naturalWidth);
      if (Math.abs(ratio - 1) > 0.02) say("squeezed", image);
      if (width < 0.5 * image.getAttribute("width")) say("tiny", image);
    }
    for (const table of slide.querySelectorAll("table")) {
      if (size(table) < 14) say("small table", table);
    }
    for (const part of slide.querySelectorAll("p, li, h1, h2, h3, h4")) {
      if (!part.closest("aside") && size(part) < 18) say("small text", part);
    }
    if (/\\(frac|text|cdot|lfloor)/.test(slide.querySelector(".page").innerText)) {
      say("a formula that is not drawn", slide);
    }
  }

  for (const slide of Reveal.getSlides()) {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v, -1);
    for (const answer of slide.querySelectorAll("[data-answer]")) {
      const code = slide.querySelector(`.code[data-cell="${answer.dataset.cell}"]`);
      const seen = getComputedStyle(answer).visibility === "visible";
      if (code && seen) found.push(`${slide.id}: the answer stands open`);
    }
    Reveal.slide(h, v, 99);
    measure(slide);
  }
  return [Reveal.getSlides().length, found];
}
