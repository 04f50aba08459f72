// Lays out what tools/decks.py wrote on pages of 1280×720, then starts reveal.js.
//
// Blocks (a paragraph, a list, code, an output) are put on a page one after the other.
// One that does not fit begins a new page under the same heading; one that is taller
// than a page is split at a line or a row. Pictures grow into the room that is left.
// Heights are measured here, with the fonts in lib/, so nothing is cut on any machine.

const ROOM = 668; // px: the bottom of the lowest block; the slide's number stands below
const LEAST_PICTURE = 0.95; // of its natural size, beside other blocks
const MOST_PICTURE = 1.35;
const LEAST_TABLE = 14; // px
const LEAST_ROWS = 4; // of a table that goes on

const source = document.querySelector("#source");
const slides = document.querySelector(".slides");
let title = null; // the section's
let heading = null; // the slide's, or else the section's: pages without one repeat it

/** An empty page, in the source, where it has its size but is not seen. */
function newPage() {
  const page = document.createElement("div");
  page.className = "page";
  source.append(page);
  return page;
}

const isHeading = (block) => /^H[1-6]$/.test(block.tagName);
const content = (page) => [...page.children].filter((block) => !isHeading(block));

function bottom(page) {
  const last = page.lastElementChild;
  return last ? last.offsetTop + last.offsetHeight : 0;
}

const fits = (page) => bottom(page) <= ROOM;

/** The blocks of a slide in order, each with the step that uncovers it. */
function blocksOf(section) {
  const blocks = [];
  let step = "";
  for (const part of section.querySelectorAll(":scope > div")) {
    step = part.dataset.step || step;
    const inside = part.matches(".prose") ? [...part.children] : [part];
    for (const block of inside) {
      if (block.matches("details")) { // answers to *From memory*: a step of their own
        step = `${section.id}-details`;
        block.querySelector("summary")?.remove();
        inside.push(...block.children);
        continue;
      }
      block.dataset.step = step;
      blocks.push(block);
    }
  }
  return blocks;
}

/** Makes a block as narrow as the page: smaller type, down to what can be read. */
function narrow(block) {
  const pres = block.matches("pre") ? [block] : block.querySelectorAll("pre");
  for (const pre of pres) {
    if (pre.scrollWidth > pre.clientWidth) pre.classList.add("small");
    if (pre.scrollWidth > pre.clientWidth) pre.classList.add("wrapped");
  }
  const tables = block.matches("table") ? [block] : block.querySelectorAll("table");
  for (const table of tables) {
    let size = parseFloat(getComputedStyle(table).fontSize);
    const room = block.parentElement.clientWidth - 112;
    while (table.offsetWidth > room && size > LEAST_TABLE) {
      size -= 1;
      table.style.fontSize = `${size}px`;
    }
  }
  resize(block, LEAST_PICTURE);
}

/** Shows a block's pictures at `scale` times their natural width, 1168 px at most. */
function resize(block, scale) {
  for (const image of block.querySelectorAll("img")) {
    const natural = Number(image.getAttribute("width")) || image.naturalWidth;
    image.style.width = `${Math.min(1168, scale * natural)}px`;
  }
}

/** Cuts a block that is taller than its page; returns the rest, or null. */
function split(block, page) {
  const rest = block.cloneNode(true);
  const pre = block.matches("pre") ? block : block.querySelector("pre");
  if (pre) return splitLines(block, pre, rest, page);
  const rows = (part) => [...part.querySelectorAll(":scope tbody > tr, :scope > li")];
  const count = rows(block).length;
  if (count < 2 || squeeze(block, page)) return null;
  let kept = count;
  const drop = () => {
    kept -= 1;
    rows(block)[kept].remove();
  };
  block.querySelectorAll(":scope > p").forEach((caption) => caption.remove());
  while (kept > 1 && (!fits(page) || (kept < count && count - kept < LEAST_ROWS))) drop();
  rows(rest).slice(0, kept).forEach((row) => row.remove());
  if (rest.matches("ol")) rest.start = (block.start || 1) + kept;
  return rest;
}

/** Whether a table fits as a whole in slightly smaller type. */
function squeeze(block, page) {
  const table = block.matches("table") ? block : block.querySelector("table");
  if (!table) return false;
  const before = table.style.fontSize;
  for (let size = parseFloat(getComputedStyle(table).fontSize); size > 15; size -= 1) {
    table.style.fontSize = `${size - 1}px`;
    if (fits(page)) return true;
  }
  table.style.fontSize = before;
  return false;
}

/** Cuts code or printed text, at a blank line if there is one in the second half. */
function splitLines(block, pre, rest, page) {
  const lines = pre.innerHTML.replace(/\n$/, "").split("\n"); // tags end within a line
  let kept = lines.length;
  while (kept > 1 && !fits(page)) {
    kept -= 1;
    pre.innerHTML = lines.slice(0, kept).join("\n");
  }
  const isBlank = (line) => !line.replace(/<[^>]*>/g, "").trim();
  const blank = lines.slice(0, kept).findLastIndex(isBlank);
  if (blank > kept / 2) kept = blank;
  pre.innerHTML = lines.slice(0, kept).join("\n");
  const other = rest.matches("pre") ? rest : rest.querySelector("pre");
  other.innerHTML = lines.slice(kept).join("\n").replace(/^\n+/, "");
  return kept < lines.length ? rest : null;
}

/** A page that goes on under the last heading. */
function goOn() {
  const page = newPage();
  if (heading) {
    const again = page.appendChild(heading.cloneNode(true));
    again.removeAttribute("id");
    again.classList.add("again");
  }
  return page;
}

/** Lays a slide's blocks on as many pages as they need. */
function paginate(section) {
  const queue = blocksOf(section);
  if (!queue.length) return [];
  heading = title;
  const pages = [isHeading(queue[0]) ? newPage() : goOn()];
  while (queue.length) {
    const page = pages.at(-1);
    const block = queue.shift();
    const tight = page.matches(".tight");
    page.append(block);
    if (isHeading(block)) heading = block;
    if (block.matches("h1, h2")) title = block;
    narrow(block);
    if (fits(page)) continue;
    page.classList.add("tight");
    if (fits(page)) continue;
    if (content(page).length > Number(!isHeading(block))) {
      page.classList.toggle("tight", tight);
      block.remove();
      queue.unshift(block);
      while (isHeading(page.lastElementChild)) { // a heading stays with what follows
        queue.unshift(page.removeChild(page.lastElementChild));
      }
      pages.push(isHeading(queue[0]) ? newPage() : goOn());
      continue;
    }
    page.querySelectorAll(".again").forEach((again) => again.remove());
    if (fits(page) || block.querySelector("img")) continue;
    const rest = split(block, page);
    if (rest) {
      queue.unshift(rest);
      pages.push(goOn());
    }
  }
  pages.forEach(enlarge);
  return pages;
}

/** Lets the pictures of a page grow, or shrink, into the room that is left. */
function enlarge(page) {
  const pictures = content(page).filter((block) => block.querySelector("img"));
  if (!pictures.length) return;
  let scale = MOST_PICTURE;
  const set = () => pictures.forEach((block) => resize(block, scale));
  for (set(); !fits(page) && scale > 0.2; set()) scale -= 0.02;
}

/** Numbers the steps of a page. What stands first is shown with the page itself. */
function number(page) {
  const blocks = content(page);
  const shown = blocks[0]?.dataset.step;
  const steps = [""];
  for (const block of blocks) {
    const step = block.dataset.step;
    if (!step || step === shown) continue;
    if (!steps.includes(step)) steps.push(step);
    block.classList.add("fragment");
    block.dataset.fragmentIndex = steps.indexOf(step);
  }
}

/** Puts the pages of a slide into the deck, below one another if they go deeper. */
function place(section) {
  const note = section.querySelector("aside.notes");
  const pages = paginate(section);
  const { column, seconds } = section.dataset;
  const { id } = section;
  section.remove();
  pages.forEach((page, index) => {
    const slide = document.createElement("section");
    slide.id = index ? `${id}-${index + 1}` : id;
    slide.dataset.timing = Math.max(1, Math.round(seconds / pages.length));
    number(page);
    slide.append(page, note.cloneNode(true));
    columnOf(column).append(slide);
  });
}

function columnOf(name) {
  if (name !== "going-deeper") return slides;
  let column = slides.querySelector(`:scope > [data-name="${name}"]`);
  if (!column) {
    column = slides.appendChild(document.createElement("section"));
    column.dataset.name = name;
  }
  return column;
}

/** Gives each still picture of a page with scripts a button that brings the page. */
function bringToLife(stored) {
  const [name, page] = JSON.parse(stored.textContent);
  const button = document.createElement("button");
  button.className = "live";
  button.textContent = "bring it to life";
  button.addEventListener("click", () => {
    const stage = document.createElement("dialog");
    const close = document.createElement("button");
    const frame = document.createElement("iframe");
    close.textContent = "close";
    close.addEventListener("click", () => stage.close());
    stage.addEventListener("close", () => stage.remove());
    stage.addEventListener("keydown", (event) => event.stopPropagation()); // not reveal's
    frame.title = name;
    frame.srcdoc = page;
    stage.append(close, frame);
    document.body.append(stage);
    stage.showModal();
  });
  stored.replaceWith(button);
}

async function start() {
  await Promise.all([...document.fonts].map((font) => font.load()));
  await Promise.all([...document.images].map((image) => image.decode()));
  await window.MathJax.startup.promise;
  await window.MathJax.typesetPromise([...source.querySelectorAll(".prose")]);
  [...source.querySelectorAll(":scope > section")].forEach(place);
  source.remove();
  document.querySelectorAll("script.live").forEach(bringToLife);
  await window.Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    maxScale: 4,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    backgroundTransition: "none",
    controlsTutorial: false,
    scrollActivationWidth: null,
    pdfSeparateFragments: false,
    defaultTiming: 60,
    plugins: [window.RevealNotes],
  });
}

start();
