// What one sees of the network, and what one does to the picture that it reads.
/* global PAPER, INPUT, added, bytes, prepare, run, under, weightsOf */

const [CHANNELS, HIGH, WIDE] = PAPER, SIZE = CHANNELS * HIGH * WIDE;
const LAYERS = DATA.layers, BORDER = DATA.input.padding;
const SCALE = LAYERS[0].shape[0] > 8 ? 2 : 3; // of maps: many of them, small ones
const BRUSH = { draw: 1, rub: DATA.draw ? 1.7 : 3.2 }; // radius in the picture's pixels
const EMPTY = new Float32Array(SIZE); // black paper, or what the network reads as 0
if (!DATA.draw && !BORDER) {
  const black = prepare(EMPTY), white = prepare(EMPTY.map(() => 255));
  EMPTY.set(black.map((v, n) => 255 * v / (v - white[n])));
}
const PICTURES = DATA.truths.map((truth, n) => {
  const pixels = bytes(DATA.pictures).subarray(n * SIZE, (n + 1) * SIZE);
  return { name: DATA.classes[truth], pixels: Float32Array.from(pixels) };
});
const halfway = (sizes) => sizes.slice(1).map((n) => n >> 1);
const middle = (index) => [index, 0, ...halfway(LAYERS[index].shape)];
const state = {
  pixels: PICTURES[0].pixels, from: PICTURES[0], // on the paper; null: no test picture
  pen: halfway(PAPER), down: false, // for the keyboard
  last: null, // where the pointer was on the paper
  unit: middle(0), // layer, map, row, column
  outputs: [], // the input's and each layer's numbers
};

// ------------------------------------------------------------------ what all use

const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...inside) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...inside);
  return node;
};
const minus = (text) => text.replaceAll("-", "−");
const number = (v, digits = 3) => minus(String(+v.toPrecision(digits)));
const within = (v, most) => Math.max(0, Math.min(most, v));
const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};
const stepped = ([row, column], [down, across], high, wide) =>
  [within(row + down, high - 1), within(column + across, wide - 1)];

// A canvas on which frames can be laid; one of its pixels is `scale` of the screen's.
function sheet(canvas, scale) {
  const stack = canvas.parentElement, px = (n) => `${n * scale}px`;
  return {
    canvas, scale,
    at: (event) => [event.offsetY / scale, event.offsetX / scale],
    clear: (kind) => stack.querySelectorAll(kind).forEach((node) => node.remove()),
    frame(className, top, left, height, width) {
      const { style } = stack.appendChild(make("i", { className }));
      const sides = Object.entries({ top, left, height, width });
      for (const [side, length] of sides) style[side] = px(length);
    },
    show(image, border = 0) {
      canvas.width = image.width + 2 * border;
      canvas.height = image.height + 2 * border;
      canvas.style.width = px(canvas.width);
      const context = canvas.getContext("2d");
      if (border) context.fillRect(0, 0, canvas.width, canvas.height);
      context.putImageData(image, border, border);
    },
  };
}

function asImage(pixels) {
  const image = new ImageData(WIDE, HIGH);
  image.data.forEach((_, n, data) => {
    const place = n % 4 % CHANNELS * HIGH * WIDE + (n >> 2);
    data[n] = n % 4 === 3 ? 255 : pixels[place];
  });
  return image;
}

// After a moment of quiet, so that a screen reader reads one sentence, not a hundred.
function say(node, text) {
  clearTimeout(node.later);
  node.later = setTimeout(() => { node.textContent = text; }, 250);
}

// ------------------------------------------------------- the paper and its tools

const paper = sheet($("paper"), Math.floor(224 / WIDE));
const read = sheet($("read"), Math.floor(224 / INPUT[2]));
const tool = () => document.querySelector("[name=tool]:checked").value;

// The tool goes on from where it was to a place, [row, column].
function touch(to) {
  const [y, x] = state.last, dy = to[0] - y, dx = to[1] - x, chosen = tool();
  if (chosen === "move") {
    const steps = [Math.round(dy), Math.round(dx)];
    state.last = [y + steps[0], x + steps[1]];
    if (steps[0] || steps[1]) move(...steps);
    return;
  }
  state.pixels = state.pixels.map((old, n) => {
    const row = Math.floor(n / WIDE) % HIGH + 0.5 - y, column = n % WIDE + 0.5 - x;
    const along = within((row * dy + column * dx) / (dy * dy + dx * dx || 1), 1);
    const far = Math.hypot(row - along * dy, column - along * dx);
    const part = within(BRUSH[chosen] + 0.5 - far, 1);
    const rubbed = old + part * (EMPTY[n] - old);
    return chosen === "draw" ? Math.max(old, 255 * part) : rubbed;
  });
  state.last = to;
  update();
}

function move(down, across) {
  state.pixels = EMPTY.map((empty, n) => {
    const row = Math.floor(n / WIDE) % HIGH - down, column = n % WIDE - across;
    const inside = row >= 0 && row < HIGH && column >= 0 && column < WIDE;
    return inside ? state.pixels[n - down * WIDE - across] : empty;
  });
  update();
}

function showPen() {
  paper.clear(".pen");
  if (!paper.canvas.matches(":focus-visible") || tool() === "move") return;
  paper.frame(state.down ? "pen down" : "pen", ...state.pen, 1, 1);
  const [row, column] = state.pen;
  say($("pen"), `Pen ${state.down ? "down" : "up"}, row ${row}, column ${column}`);
}

function lay(picture) {
  Object.assign(state, { from: picture, pixels: picture ? picture.pixels : EMPTY });
  for (const { input } of PICTURES) input.checked = picture && input === picture.input;
  update();
}

Object.assign(paper.canvas, {
  onpointerdown(event) {
    paper.canvas.setPointerCapture(event.pointerId);
    state.last = paper.at(event);
    touch(state.last);
  },
  onpointermove: (event) => state.last && touch(paper.at(event)),
  onlostpointercapture: () => { state.last = null; },
  onkeydown(event) {
    const step = STEPS[event.key], from = state.pen;
    if (!step && event.key !== " ") return;
    event.preventDefault();
    if (tool() === "move") return step && move(...step);
    if (step) state.pen = stepped(from, step, HIGH, WIDE);
    else state.down = !state.down;
    if (state.down) {
      state.last = from.map((n) => n + 0.5);
      touch(state.pen.map((n) => n + 0.5));
      state.last = null;
    }
    showPen();
  },
  onfocus: showPen, onblur: showPen,
});

// MNIST's way to frame a digit: the box around its ink is scaled until the longer side
// has 20 pixels, and laid so that its centre of mass is nearest to row 14, column 14.
// Null without ink; else the pixels, the box before and after: top, left, high, wide.
function framed(ink) {
  const inked = [...ink.keys()].filter((n) => ink[n] >= 1);
  if (!inked.length) return null;
  const ends = [inked.map((n) => Math.floor(n / WIDE)), inked.map((n) => n % WIDE)];
  const [top, left] = ends.map((places) => Math.min(...places));
  const [high, wide] = [ends[0].at(-1) - top + 1, Math.max(...ends[1]) - left + 1];
  const scale = 20 / Math.max(high, wide);
  const sides = [high, wide].map((n) => Math.max(1, Math.round(n * scale)));
  const [before, after] = [[WIDE, HIGH], [sides[1], sides[0]]].map((size) =>
    new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true }));
  before.putImageData(asImage(ink), 0, 0);
  after.imageSmoothingQuality = "high";
  after.drawImage(before.canvas, left, top, wide, high, 0, 0, sides[1], sides[0]);
  const { data } = after.getImageData(0, 0, sides[1], sides[0]);
  const scaled = Array.from({ length: sides[0] * sides[1] }, (_, n) => data[4 * n]);
  const row = (n) => Math.floor(n / sides[1]), column = (n) => n % sides[1];
  const mean = (of) => added(scaled, (v, n) => v * of(n)) / (added(scaled) || 1);
  const down = Math.round(HIGH / 2 - mean(row)), pixels = EMPTY.slice();
  const across = Math.round(WIDE / 2 - mean(column));
  scaled.forEach((v, n) => {
    const y = row(n) + down, x = column(n) + across;
    if (y >= 0 && x >= 0 && y < HIGH && x < WIDE) pixels[y * WIDE + x] = v;
  });
  return { pixels, from: [top, left, high, wide], to: [down, across, ...sides] };
}

// ------------------------------------------------------------------ the answers

const answers = DATA.classes.map((name) => {
  const bar = make("i"), logit = make("td"), share = make("td");
  const cells = [make("th", { scope: "row" }, name), make("td", {}, bar), logit, share];
  return { bar, logit, share, row: $("answers").appendChild(make("tr", {}, ...cells)) };
});

function showAnswers(milliseconds) {
  const logits = [...state.outputs.at(-1)], most = Math.max(...logits);
  const range = most - Math.min(...logits) || 1, best = logits.indexOf(most);
  const powers = logits.map((v) => Math.exp(v - most)), all = added(powers);
  answers.forEach(({ bar, logit, share, row }, n) => {
    bar.style.width = `${100 - 100 * (most - logits[n]) / range}%`;
    logit.textContent = number(logits[n]);
    share.textContent = `${(100 * powers[n] / all).toFixed(1)} %`;
    row.className = n === best ? "best" : "";
  });
  const label = state.from ? ` The label says ${state.from.name}.` : "";
  const time = ` (${number(milliseconds, 2)} ms)`;
  say($("verdict"), `It answers ${DATA.classes[best]}.${label}${time}`);
}

// --------------------------------------------------------- the layers and a unit

const views = LAYERS.map(({ name, layer, shape: [maps, high, wide] }, index) => {
  const one = high * wide === 1, gap = one ? 0 : 1; // numbers, or maps with gaps
  const size = one ? `${maps}` : `${maps}×${high}×${wide}`;
  const canvas = make("canvas", { tabIndex: 0, role: "application", ariaLabel:
    `${name}, ${size}. Arrow keys choose a unit, page up and page down a map.` });
  const title = make("h2", {}, name, make("small", {}, `${size}, ${layer}`));
  const stack = make("div", { className: "stack" }, canvas);
  $("layers").append(make("div", { className: "layer" }, title, stack));
  const scale = one ? (maps > 200 ? 4 : 8) : SCALE;
  const view = { ...sheet(canvas, scale), gap, columns: 1 };
  const choose = (event) => {
    const [tall, broad] = [high + gap, wide + gap];
    const [y, x] = view.at(event).map(Math.floor);
    const map = Math.floor(y / tall) * view.columns + Math.floor(x / broad);
    const [row, column] = [y % tall, x % broad];
    if (map < maps && row < high && column < wide) showUnit([index, map, row, column]);
  };
  const own = () => (state.unit[0] === index ? state.unit : middle(index));
  Object.assign(canvas, {
    onpointerdown: choose,
    onpointermove: (event) => event.buttons && choose(event),
    onfocus: () => canvas.matches(":focus-visible") && showUnit(own()),
    onkeydown(event) {
      const step = STEPS[event.key], turn = { PageUp: -1, PageDown: 1 }[event.key];
      if (!step && !turn) return;
      event.preventDefault();
      const [down, across] = step || [0, 0], [, map, row, column] = own();
      const next = turn || (one ? across + down * view.columns : 0);
      const place = stepped([row, column], [down, across], high, wide);
      showUnit([index, within(map + next, maps - 1), ...place]);
    },
  });
  return view;
});

// Where a map begins on its layer's canvas.
function corner(index, map) {
  const { columns, gap } = views[index], [, high, wide] = LAYERS[index].shape;
  return [Math.floor(map / columns) * (high + gap), map % columns * (wide + gap)];
}

// The maps of a layer in rows that fit; colours: of zero, of what is above and below.
function showMaps(view, index, [zero, above, below]) {
  const [maps, high, wide] = LAYERS[index].shape, { gap, scale } = view;
  const room = $("layers").clientWidth / scale;
  const [tall, broad] = DATA.drawn, drawn = !gap && tall * broad === maps;
  const fit = Math.max(1, Math.floor((room + gap) / (wide + gap)));
  view.columns = drawn ? broad : Math.min(fit, maps);
  const across = view.columns * (wide + gap) - gap;
  const image = new ImageData(across, corner(index, maps - 1)[0] + high);
  const values = state.outputs[index + 1];
  const most = values.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-9);
  values.forEach((value, n) => {
    const [top, left] = corner(index, Math.floor(n / (high * wide)));
    const place = 4 * ((top + Math.floor(n / wide) % high) * across + left + n % wide);
    const far = value > 0 ? above : below, part = Math.abs(value) / most;
    const mixed = (k) => zero[k] + part * (far[k] - zero[k]);
    for (let k = 0; k < 4; k++) image.data[place + k] = k === 3 ? 255 : mixed(k);
  });
  view.show(image);
}

// The numbers of the maps before that a map reads: where a weight is not 0.
function mapsRead(layer, map) {
  const { weighs, kernel, reads, groups, shape } = layer, count = reads[0] / groups;
  const first = Math.floor(map * groups / shape[0]) * count;
  const all = Array.from({ length: count }, (_, k) => first + k);
  if (!weighs || !kernel) return all;
  const each = kernel[0] * kernel[1], weights = weightsOf(layer, map);
  return all.filter((_, k) => weights.slice(k * each, (k + 1) * each).some(Boolean));
}

// The unit, what it reads of the layer before, and what it sees of the picture.
function showUnit(unit) {
  const [index, map, row, column] = state.unit = unit, layer = LAYERS[index];
  const { window, field, reads, shape: [, high, wide] } = layer;
  const maps = mapsRead(layer, map);
  const value = state.outputs[index + 1][(map * high + row) * wide + column];
  const place = ([[tall, down, top], [broad, across, left]]) =>
    [top + row * down, left + column * across, tall, broad];
  for (const view of views) view.clear("i");
  read.clear(".field");
  const own = corner(index, map);
  views[index].frame("unit", own[0] + row, own[1] + column, 1, 1);
  const [top, left, tall, broad] = window ? place(window) : [0, 0, reads[1], reads[2]];
  const from = [Math.max(top, 0), Math.max(left, 0)]; // beyond the edge is no frame
  const size = [Math.min(top + tall, reads[1]) - from[0],
    Math.min(left + broad, reads[2]) - from[1]];
  for (const k of index ? maps : []) {
    const [y, x] = corner(index - 1, k);
    views[index - 1].frame("window", y + from[0], x + from[1], ...size);
  }
  const which = window ? `map ${map}, row ${row}, column ${column}` : map;
  const what = `${maps.length} of ${reads[0]} ${window ? "maps" : "numbers"}`;
  let text = `${layer.name}, ${which}: ${number(value)}. `;
  text += layer.kind === "same" ? "It is passed on."
    : `It reads ${window ? `${tall}×${broad} in ` : ""}${what}.`;
  if (field) {
    const [north, west, rows, columns] = place(field);
    read.frame("field", north, west, rows, columns);
    text += minus(` It sees rows ${north} to ${north + rows - 1} and columns ${west} ` +
      `to ${west + columns - 1} of the picture.`);
  }
  say($("unit"), text);
  const written = index === 0 && layer.weighs && window;
  $("sum").style.visibility = written ? "visible" : "hidden"; // it keeps its place
  if (written) showSum(layer, unit, value);
}

// For the first layer: each number times its weight, written out.
function showSum(layer, [, map, row, column], value) {
  const { shape, groups, kernel: [tall, broad], bias: { [map]: bias } } = layer;
  const group = Math.floor(map * groups / shape[0]), weights = weightsOf(layer, map);
  const space = new Float64Array(weights.length);
  const patch = [...under(layer, state.outputs[0], group, row, column, space)];
  const most = Math.max(...patch.map((v, k) => Math.abs(v * weights[k]))) || 1;
  $("sum").innerHTML = patch.map((v, k) => {
    const part = 45 * v * weights[k] / most, colour = part > 0 ? "blue" : "orange";
    const mixed = `var(--${colour}) ${Math.abs(part)}%, transparent`;
    const table = k % (tall * broad) ? "" : "</table><table>";
    const begins = table + (k % broad ? "" : "<tr>");
    const style = `background: color-mix(in srgb, ${mixed})`;
    const product = `${number(v, 2)}·<wbr>${number(weights[k], 2)}`;
    return `${begins}<td style="${style}">${product}`;
  }).join("");
  const words = `${patch.length} numbers times their weights: ${number(value - bias)}; `;
  $("sum").append(make("p", {}, `${words}with ${number(bias)}, the bias: ${number(value)}`));
}

// The pictures in the order of the unit's map, the one with its largest number first.
function sort() {
  const [index, map] = state.unit, { name, shape: [, high, wide] } = LAYERS[index];
  for (const picture of PICTURES) {
    const output = run(prepare(picture.pixels))[index + 1], size = high * wide;
    picture.most = Math.max(...output.subarray(map * size, (map + 1) * size));
    picture.peak.textContent = number(picture.most);
  }
  PICTURES.sort((a, b) => b.most - a.most);
  $("gallery").append(...PICTURES.map(({ choice }) => choice));
  say($("verdict"), `Sorted by ${name}, ${map}: ${PICTURES[0].name} is first.`);
}

// -------------------------------------------------------------------- all of it

function update() {
  const found = DATA.draw && $("framing").checked ? framed(state.pixels) : null;
  const pixels = found ? found.pixels : state.pixels, start = performance.now();
  state.outputs = run(prepare(pixels));
  showAnswers(performance.now() - start);
  paper.clear(".box");
  read.clear("i");
  paper.show(asImage(state.pixels));
  read.show(asImage(pixels), BORDER);
  if (found) {
    const [top, left, high, wide] = found.to, [, , tall, broad] = found.from;
    paper.frame("box", ...found.from);
    read.frame("box", top + BORDER, left + BORDER, high, wide);
    read.frame("middle", HIGH / 2 + BORDER, WIDE / 2 + BORDER, 1, 1);
    $("frame").textContent = `The box around the ink, ${tall}×${broad}, becomes ` +
      `${high}×${wide}; its centre of mass, the dot, is in the middle.`;
  } else $("frame").textContent = "It reads the picture as it is.";
  const probe = document.body.appendChild(make("i"));
  const colours = ["paper", "blue", "orange"].map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color.match(/\d+/g).map(Number);
  });
  probe.remove();
  views.forEach((view, index) => showMaps(view, index, colours));
  showUnit(state.unit);
}

for (const picture of PICTURES) {
  const onchange = () => lay(picture), canvas = make("canvas", { ariaHidden: "true" });
  picture.input = make("input", { type: "radio", name: "picture", onchange });
  picture.peak = make("small");
  picture.choice = make("label", {}, picture.input, canvas, picture.name, picture.peak);
  $("gallery").append(picture.choice);
  sheet(canvas, 36 / WIDE).show(asImage(picture.pixels));
}
for (const node of document.querySelectorAll(".ink")) node.hidden = !DATA.draw;
document.querySelector(`[value=${DATA.draw ? "draw" : "rub"}]`).checked = true;
document.querySelector("h1").textContent = DATA.title;
PICTURES[0].input.checked = true;
$("framing").onchange = update;
$("back").onclick = () => lay(state.from);
$("clean").onclick = () => lay(null);
$("sort").onclick = sort;
new ResizeObserver(update).observe(document.querySelector("main"));
new MutationObserver(update).observe(document.documentElement, { attributes: true });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
